#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write transformer stacks of known sizes as ONNX graphs without weights, for costs.

    make_shapes.py bert-base --seq 128 --out DIR
    sufc DIR/model.onnx --no-weights --ring-bits=50 --report

Hidden states in, hidden states out.  Every weight refers to DIR/model.onnx.data, which is
not written.  Needs the Python standard library only.
"""
import argparse
import math
import pathlib
import struct

KINDS = {  # layers, heads, hidden, feed-forward, family
    "bert-tiny": (2, 2, 128, 512, "bert"),
    "bert-base": (12, 12, 768, 3072, "bert"),
    "bert-large": (24, 16, 1024, 4096, "bert"),
    "gpt2": (12, 12, 768, 3072, "gpt2"),
    "gpt-neo-1.3b": (24, 16, 2048, 8192, "gpt-neo"),
    "llama2-7b": (32, 32, 4096, 11008, "llama"),
    "llama2-13b": (40, 40, 5120, 13824, "llama"),
}
FLOAT, INT64, BOOL = 1, 7, 9
LEAST = -3.4028234663852886e38


# ---- protocol buffers: a message is bytes; these make its fields ----------------

def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def number(field, n):
    return varint(field << 3) + varint(n)


def text(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def attribute(name, value):
    if isinstance(value, float):
        return text(5, text(1, name) + varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, 1))
    if isinstance(value, int):
        return text(5, text(1, name) + number(3, value) + number(20, 2))
    return text(5, text(1, name) + b"".join(number(8, v) for v in value) + number(20, 7))


def tensor_type(name, shape):
    dims = b"".join(text(1, number(1, d)) for d in shape)
    return text(1, name) + text(2, text(1, number(1, FLOAT) + text(2, dims)))


# ---- graphs ------------------------------------------------------------------------

class Stack:
    """Nodes and weights; every method that makes a node returns the name of its result."""

    def __init__(self, kind, seq):
        self.layers, self.heads, self.hidden, self.ffn, self.family = KINDS[kind]
        self.seq, self.size = seq, self.hidden // self.heads
        self.nodes, self.tensors, self.known, self.offset = [], [], set(), 0

    def node(self, op, inputs, name, **attributes):
        outputs = [name] if isinstance(name, str) else name
        body = b"".join(text(1, i) for i in inputs) + b"".join(text(2, o) for o in outputs) + text(3, outputs[0]) + text(4, op)
        self.nodes.append(body + b"".join(attribute(k, v) for k, v in attributes.items()))
        return name

    def constant(self, name, dtype, shape, raw):
        if name not in self.known:
            self.known.add(name)
            self.tensors.append(b"".join(number(1, d) for d in shape) + number(2, dtype) + text(8, name) + text(9, raw))
        return name

    def floats(self, name, values, shape=()):
        return self.constant(name, FLOAT, shape, struct.pack(f"<{len(values)}f", *values))

    def ints(self, name, *values):
        return self.constant(name, INT64, [len(values)], struct.pack(f"<{len(values)}q", *values))

    def weight(self, name, *shape):
        size = 4 * math.prod(shape)
        places = (("location", "model.onnx.data"), ("offset", str(self.offset)), ("length", str(size)))
        self.offset += size
        body = b"".join(number(1, d) for d in shape) + number(2, FLOAT) + text(8, name)
        self.tensors.append(body + b"".join(text(13, text(1, k) + text(2, v)) for k, v in places) + number(14, 1))
        return name

    def linear(self, x, name, rows, cols, bias=True):
        y = self.node("MatMul", [x, self.weight(f"{name}.weight", rows, cols)], f"{name}/MatMul")
        return self.node("Add", [y, self.weight(f"{name}.bias", cols)], f"{name}/Add") if bias else y

    def layer_norm(self, x, name):
        inputs = [x, self.weight(f"{name}.weight", self.hidden), self.weight(f"{name}.bias", self.hidden)]
        return self.node("LayerNormalization", inputs, f"{name}/LayerNormalization", axis=-1, epsilon=1e-5)

    def rms_norm(self, x, name):
        square = self.node("Pow", [x, self.floats("two", [2.0])], f"{name}/Pow")
        mean = self.node("ReduceMean", [square], f"{name}/ReduceMean", axes=[-1], keepdims=1)
        root = self.node("Sqrt", [self.node("Add", [mean, self.floats("eps", [1e-5])], f"{name}/Add")], f"{name}/Sqrt")
        y = self.node("Div", [x, root], f"{name}/Div")
        return self.node("Mul", [y, self.weight(f"{name}.weight", self.hidden)], f"{name}/Mul")

    def split(self, x, name, perm):
        shape = self.ints("split_heads", 1, self.seq, self.heads, self.size)
        return self.node("Transpose", [self.node("Reshape", [x, shape], f"{name}/Reshape")], f"{name}/Transpose", perm=perm)

    def angles(self, name, function):
        """The whole table: halves of a row repeat."""
        half = self.size // 2
        row = [[function(s * 10000 ** (-2 * j / self.size)) for j in range(half)] * 2 for s in range(self.seq)]
        return self.floats(name, sum(row, []), [1, 1, self.seq, self.size])

    def rotate(self, x, name):
        half, axis = self.size // 2, self.ints("last_axis", -1)
        low = self.node("Slice", [x, self.ints("zero", 0), self.ints("half_size", half), axis], f"{name}/low")
        high = self.node("Slice", [x, self.ints("half_size", half), self.ints("whole_size", self.size), axis], f"{name}/high")
        turned = self.node("Concat", [self.node("Neg", [high], f"{name}/Neg"), low], f"{name}/Concat", axis=-1)
        straight = self.node("Mul", [x, self.angles("cos", math.cos)], f"{name}/Mul")
        return self.node("Add", [straight, self.node("Mul", [turned, self.angles("sin", math.sin)], f"{name}/Mul_1")], f"{name}/Add")

    def attention(self, x, name):
        h, causal, bias = self.hidden, self.family != "bert", self.family != "llama"
        qkv = self.linear(x, f"{name}/qkv", h, 3 * h, bias)
        q, k, v = self.node("Split", [qkv, self.ints("split_qkv", h, h, h)], [f"{name}/{part}" for part in "qkv"], axis=2)
        q, k, v = (self.split(part, part, [0, 2, 1, 3]) for part in (q, k, v))
        if self.family == "llama":
            q, k = self.rotate(q, f"{name}/q"), self.rotate(k, f"{name}/k")
        scores = self.node("MatMul", [q, self.node("Transpose", [k], f"{name}/k/turned", perm=[0, 1, 3, 2])], f"{name}/scores")
        if self.family != "gpt-neo":
            scores = self.node("Div", [scores, self.floats("root", [math.sqrt(self.size)])], f"{name}/Div")
        if causal:
            rows = b"".join(bytes([1] * (i + 1) + [0] * (self.seq - i - 1)) for i in range(self.seq))
            mask = self.constant("causal_mask", BOOL, [1, 1, self.seq, self.seq], rows)
            scores = self.node("Where", [mask, scores, self.floats("least", [LEAST])], f"{name}/Where")
        mix = self.node("MatMul", [self.node("Softmax", [scores], f"{name}/Softmax", axis=-1), v], f"{name}/mix")
        mix = self.node("Transpose", [mix], f"{name}/Transpose", perm=[0, 2, 1, 3])
        mix = self.node("Reshape", [mix, self.ints("join_heads", 1, self.seq, h)], f"{name}/Reshape")
        return self.linear(mix, f"{name}/projection", h, h, bias)

    def gelu(self, x, name):
        scaled = self.node("Div", [x, self.floats("sqrt_2", [math.sqrt(2)])], f"{name}/Div")
        one = self.node("Add", [self.node("Erf", [scaled], f"{name}/Erf"), self.floats("one", [1.0])], f"{name}/Add")
        return self.node("Mul", [self.node("Mul", [x, one], f"{name}/Mul"), self.floats("half", [0.5])], f"{name}/Mul_1")

    def feed_forward(self, x, name):
        h, f = self.hidden, self.ffn
        if self.family != "llama":
            return self.linear(self.gelu(self.linear(x, f"{name}/up", h, f), f"{name}/gelu"), f"{name}/down", f, h)
        gate = self.linear(x, f"{name}/gate", h, f, False)
        gate = self.node("Mul", [gate, self.node("Sigmoid", [gate], f"{name}/Sigmoid")], f"{name}/silu")
        y = self.node("Mul", [gate, self.linear(x, f"{name}/up", h, f, False)], f"{name}/Mul")
        return self.linear(y, f"{name}/down", f, h, False)

    def layer(self, x, name):
        norm = self.rms_norm if self.family == "llama" else self.layer_norm
        if self.family == "bert":
            x = norm(self.node("Add", [self.attention(x, f"{name}/attention"), x], f"{name}/sum1"), f"{name}/norm1")
            return norm(self.node("Add", [self.feed_forward(x, f"{name}/ffn"), x], f"{name}/sum2"), f"{name}/norm2")
        x = self.node("Add", [x, self.attention(norm(x, f"{name}/norm1"), f"{name}/attention")], f"{name}/sum1")
        return self.node("Add", [x, self.feed_forward(norm(x, f"{name}/norm2"), f"{name}/ffn")], f"{name}/sum2")

    def model(self, name):
        x, shape = "x", [1, self.seq, self.hidden]
        for k in range(self.layers):
            x = self.layer(x, f"layer.{k}")
        self.node("Identity", [x], "y")
        graph = b"".join(text(1, n) for n in self.nodes) + text(2, name) + b"".join(text(5, t) for t in self.tensors)
        graph += text(11, tensor_type("x", shape)) + text(12, tensor_type("y", shape))
        return number(1, 8) + text(2, "make_shapes") + text(7, graph) + text(8, number(2, 17))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--seq", type=int, default=128)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "model.onnx").write_bytes(Stack(args.kind, args.seq).model(args.kind))


if __name__ == "__main__":
    main()
