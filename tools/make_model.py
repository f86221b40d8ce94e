#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make full-size transformer graphs with random weights for benchmarks.

    make_model.py bert-stack --size base --seq 128 --out DIR
    make_model.py gpt2-stack --layers 12 --hidden 768 --heads 12 --ffn 3072 --seq 128 --out DIR
    make_model.py bert-full  --size base --seq 128 --out DIR

bert-stack and gpt2-stack are the layers alone, with hidden states as input and output:
post-norm, dense attention and erf GELU, or pre-norm, causal attention and tanh GELU.
bert-full is transformers' BertModel with embeddings and pooler (needs torch and
transformers).  DIR gets model.onnx (and model.onnx.data above 1 GiB), one .npy per
input and calibrate.npz.  Weights have the scale of trained ones (deviation 0.02, norm
gains around 1 with a few outlier channels); they carry no knowledge, so use these graphs
for structure and cost, never for accuracy.

    make_model.py --no-weights llama2-7b --seq 128 --out DIR

is make_shapes.py: graphs without weights, of sizes that would not fit here, for costs.
"""
import argparse
import pathlib
import sys

if "--no-weights" in sys.argv:  # needs neither numpy nor onnx
    import make_shapes
    sys.argv.remove("--no-weights")
    sys.exit(make_shapes.main())

try:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError as missing:
    sys.exit(f"{missing}; first: pip install -r {pathlib.Path(__file__).parent / 'requirements.txt'}  (for the stacks: numpy onnx onnxruntime)")

SIZES = {  # layers, hidden, heads, feed-forward
    "tiny": (2, 128, 2, 512),
    "base": (12, 768, 12, 3072),
    "medium": (24, 1024, 16, 4096),  # as GPT-2 calls it
    "large": (24, 1024, 16, 4096),
}
OPSET = 17
INLINE_LIMIT = 1 << 30  # bytes of weights; protobuf refuses files above 2 GiB


class Weights:
    """Random weights, kept inline or streamed to model.onnx.data."""

    def __init__(self, folder, seed, external):
        self.random = np.random.default_rng(seed)
        self.tensors = []
        self.path = folder / "model.onnx.data"
        self.file = open(self.path, "wb") if external else None

    def add(self, name, value):
        value = np.ascontiguousarray(value)
        if self.file is None or value.nbytes < 1024:
            self.tensors.append(numpy_helper.from_array(value, name))
            return name
        self.file.write(b"\0" * (-self.file.tell() % 64))
        tensor = TensorProto(name=name, data_type=helper.np_dtype_to_tensor_dtype(value.dtype), dims=value.shape,
                             data_location=TensorProto.EXTERNAL)
        for key, text in (("location", self.path.name), ("offset", self.file.tell()), ("length", value.nbytes)):
            tensor.external_data.add(key=key, value=str(text))
        self.file.write(value.data)
        self.tensors.append(tensor)
        return name

    def matrix(self, name, rows, cols):
        return self.add(name, self.random.standard_normal((rows, cols), dtype=np.float32) * np.float32(0.02))

    def bias(self, name, size):
        return self.add(name, self.random.standard_normal(size, dtype=np.float32) * np.float32(0.01))

    def gain(self, name, size):
        value = 1 + 0.1 * self.random.standard_normal(size, dtype=np.float32)
        outliers = self.random.choice(size, max(1, size // 256), replace=False)
        value[outliers] *= 3
        return self.add(name, value.astype(np.float32))


class Stack:
    """Nodes of the layers; every method returns the name of its result."""

    def __init__(self, weights, args):
        self.w, self.a = weights, args
        self.nodes, self.constants = [], {}

    def node(self, op, inputs, name, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name, value):
        if name not in self.constants:
            self.constants[name] = self.w.add(name, np.asarray(value))
        return name

    def linear(self, x, name, rows, cols):
        y = self.node("MatMul", [x, self.w.matrix(f"{name}.weight", rows, cols)], f"{name}/MatMul")
        return self.node("Add", [y, self.w.bias(f"{name}.bias", cols)], f"{name}/Add")

    def norm(self, x, name):
        h = self.a.hidden
        inputs = [x, self.w.gain(f"{name}.weight", h), self.w.bias(f"{name}.bias", h)]
        return self.node("LayerNormalization", inputs, f"{name}/LayerNormalization", axis=-1, epsilon=1e-5)

    def heads(self, x, name, perm):
        a = self.a
        shape = self.constant("split_heads", np.array([1, a.seq, a.heads, a.hidden // a.heads], dtype=np.int64))
        return self.node("Transpose", [self.node("Reshape", [x, shape], f"{name}/Reshape")], f"{name}/Transpose", perm=perm)

    def attend(self, q, k, v, name, causal):
        a = self.a
        scores = self.node("MatMul", [self.heads(q, f"{name}/q", [0, 2, 1, 3]), self.heads(k, f"{name}/k", [0, 2, 3, 1])],
                           f"{name}/scores/MatMul")
        root = self.constant("sqrt_head_dim", np.array(np.sqrt(a.hidden / a.heads), dtype=np.float32))
        scores = self.node("Div", [scores, root], f"{name}/scores/Div")
        if causal:
            mask = self.constant("causal_mask", np.tril(np.ones((1, 1, a.seq, a.seq), dtype=bool)))
            least = self.constant("masked_score", np.array(np.finfo(np.float32).min))
            scores = self.node("Where", [mask, scores, least], f"{name}/scores/Where")
        p = self.node("Softmax", [scores], f"{name}/Softmax", axis=-1)
        mix = self.node("MatMul", [p, self.heads(v, f"{name}/v", [0, 2, 1, 3])], f"{name}/mix/MatMul")
        mix = self.node("Transpose", [mix], f"{name}/mix/Transpose", perm=[0, 2, 1, 3])
        return self.node("Reshape", [mix, self.constant("join_heads", np.array([1, a.seq, a.hidden], dtype=np.int64))],
                         f"{name}/mix/Reshape")

    def gelu_erf(self, x, name):
        c = lambda key, v: self.constant(key, np.array(v, dtype=np.float32))
        e = self.node("Erf", [self.node("Div", [x, c("sqrt_2", np.sqrt(2))], f"{name}/Div")], f"{name}/Erf")
        y = self.node("Mul", [x, self.node("Add", [e, c("one", 1)], f"{name}/Add")], f"{name}/Mul")
        return self.node("Mul", [y, c("half", 0.5)], f"{name}/Mul_1")

    def gelu_tanh(self, x, name):
        c = lambda key, v: self.constant(key, np.array(v, dtype=np.float32))
        cube = self.node("Mul", [self.node("Pow", [x, c("three", 3)], f"{name}/Pow"), c("cubic", 0.044715)], f"{name}/Mul")
        inner = self.node("Add", [x, cube], f"{name}/Add")
        t = self.node("Tanh", [self.node("Mul", [inner, c("sqrt_2_pi", np.sqrt(2 / np.pi))], f"{name}/Mul_1")], f"{name}/Tanh")
        half = self.node("Mul", [x, c("half", 0.5)], f"{name}/Mul_2")
        return self.node("Mul", [half, self.node("Add", [t, c("one", 1)], f"{name}/Add_1")], f"{name}/Mul_3")

    def bert_layer(self, x, name):
        h, f = self.a.hidden, self.a.ffn
        q, k, v = (self.linear(x, f"{name}/attention/{part}", h, h) for part in ("query", "key", "value"))
        mix = self.linear(self.attend(q, k, v, f"{name}/attention", False), f"{name}/attention/output", h, h)
        x = self.norm(self.node("Add", [mix, x], f"{name}/attention/residual"), f"{name}/attention/norm")
        y = self.gelu_erf(self.linear(x, f"{name}/intermediate", h, f), f"{name}/gelu")
        y = self.linear(y, f"{name}/output", f, h)
        return self.norm(self.node("Add", [y, x], f"{name}/residual"), f"{name}/norm")

    def gpt2_layer(self, x, name):
        h, f = self.a.hidden, self.a.ffn
        qkv = self.linear(self.norm(x, f"{name}/ln_1"), f"{name}/attn/c_attn", h, 3 * h)
        parts = [f"{name}/attn/{part}" for part in ("query", "key", "value")]
        split = self.constant("split_qkv", np.array([h, h, h], dtype=np.int64))
        self.nodes.append(helper.make_node("Split", [qkv, split], parts, name=f"{name}/attn/Split", axis=2))
        mix = self.linear(self.attend(*parts, f"{name}/attn", True), f"{name}/attn/c_proj", h, h)
        x = self.node("Add", [mix, x], f"{name}/residual")
        y = self.gelu_tanh(self.linear(self.norm(x, f"{name}/ln_2"), f"{name}/mlp/c_fc", h, f), f"{name}/mlp/gelu")
        return self.node("Add", [x, self.linear(y, f"{name}/mlp/c_proj", f, h)], f"{name}/residual_1")


def hidden_states(args, count):
    """Like the output of a normalised embedding: rows of mean 0 and deviation 1, a few strong channels."""
    random = np.random.default_rng(args.seed + 1)
    x = random.standard_normal((count, args.seq, args.hidden), dtype=np.float32)
    x[:, :, random.choice(args.hidden, max(1, args.hidden // 256), replace=False)] *= 4
    x -= x.mean(-1, keepdims=True)
    return (x / x.std(-1, keepdims=True)).astype(np.float32)


def make_stack(args, folder):
    layer_bytes = 4 * (4 * args.hidden ** 2 + 2 * args.hidden * args.ffn)
    external = args.layers * layer_bytes > INLINE_LIMIT
    weights = Weights(folder, args.seed, external)
    stack = Stack(weights, args)
    x = "x"
    for k in range(args.layers):
        x = stack.bert_layer(x, f"layer.{k}") if args.kind == "bert-stack" else stack.gpt2_layer(x, f"h.{k}")
    if args.final_norm:
        x = stack.norm(x, "final_norm")
    stack.nodes.append(helper.make_node("Identity", [x], ["y"], name="y"))
    shape = [1, args.seq, args.hidden]
    graph = helper.make_graph(stack.nodes, args.kind, [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)], weights.tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="make_model")
    model.ir_version = 8
    if weights.file:
        weights.file.close()
    onnx.save(model, str(folder / "model.onnx"))
    np.save(folder / "x.npy", hidden_states(args, 1))
    calibrate = hidden_states(argparse.Namespace(**{**vars(args), "seed": args.seed + 100}), args.examples)
    np.savez(folder / "calibrate.npz", x=calibrate)


def make_full(args, folder):
    import torch
    from transformers import BertConfig, BertModel
    torch.manual_seed(args.seed)
    config = BertConfig(hidden_size=args.hidden, num_hidden_layers=args.layers, num_attention_heads=args.heads,
                        intermediate_size=args.ffn, attn_implementation="eager")

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bert = BertModel(config)

        def forward(self, input_ids, attention_mask, token_type_ids):
            mask = (1.0 - attention_mask[:, None, None, :].to(torch.float32)) * torch.finfo(torch.float32).min
            out = self.bert(input_ids=input_ids, attention_mask=mask, token_type_ids=token_type_ids)
            return out.last_hidden_state, out.pooler_output

    def inputs(count, seed):
        random = np.random.default_rng(seed)
        length = random.integers(args.seq // 2, args.seq + 1, (count, 1))
        mask = (np.arange(args.seq) < length).astype(np.int64)
        ids = random.integers(1000, config.vocab_size, (count, args.seq)) * mask
        kinds = (np.arange(args.seq) >= length // 2).astype(np.int64) * mask
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": kinds}

    one = inputs(1, args.seed)
    with torch.no_grad():
        torch.onnx.export(Encoder().eval(), tuple(torch.from_numpy(v) for v in one.values()), str(folder / "model.onnx"),
                          input_names=list(one), output_names=["last_hidden_state", "pooler_output"],
                          opset_version=OPSET, dynamo=False)
    for name, value in one.items():
        np.save(folder / f"{name}.npy", value)
    np.savez(folder / "calibrate.npz", **inputs(args.examples, args.seed + 100))


def check(folder):
    """Run the graph with onnxruntime: every output is finite.  Writes the outputs as NAME.float.npy."""
    import onnxruntime
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    feed = {i.name: np.load(folder / f"{i.name}.npy") for i in session.get_inputs()}
    for info, value in zip(session.get_outputs(), session.run(None, feed)):
        if not np.isfinite(value).all():
            raise SystemExit(f"{folder}/model.onnx: output {info.name} is not finite")
        np.save(folder / f"{info.name}.float.npy", value)
        print(f"{info.name} {list(value.shape)}: deviation {value.std():.3f}, largest {abs(value).max():.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kind", choices=["bert-stack", "gpt2-stack", "bert-full"])
    parser.add_argument("--size", choices=SIZES, default="base")
    parser.add_argument("--layers", type=int)
    parser.add_argument("--hidden", type=int)
    parser.add_argument("--heads", type=int)
    parser.add_argument("--ffn", type=int)
    parser.add_argument("--seq", type=int, default=128)
    parser.add_argument("--final-norm", action="store_true", help="one more normalisation after the last layer")
    parser.add_argument("--examples", type=int, default=4, help="examples in calibrate.npz")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-check", action="store_true", help="do not run the graph with onnxruntime")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    for key, value in zip(("layers", "hidden", "heads", "ffn"), SIZES[args.size]):
        if getattr(args, key) is None:
            setattr(args, key, value)
    if args.hidden % args.heads:
        parser.error(f"--hidden {args.hidden} is not a multiple of --heads {args.heads}")
    args.out.mkdir(parents=True, exist_ok=True)
    (make_full if args.kind == "bert-full" else make_stack)(args, args.out)
    if not args.no_check:
        check(args.out)


if __name__ == "__main__":
    main()
