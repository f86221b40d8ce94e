# SPDX-License-Identifier: Apache-2.0
"""Exports the small transformers of the tests, with onnxruntime's results beside them.

Two layers each, random weights, opset 17.  Needs torch, transformers, onnx and
onnxruntime; run it in this folder.  NAME.bin is read by tests/unit/support/cases.c.
"""
import sys
import numpy as np
import onnx
import onnxruntime
import torch
import transformers as tf
from cases import write_case

torch.manual_seed(7)
SEQ = 8


class Wrap(torch.nn.Module):
    """Calls the model by keyword and returns its first output."""

    def __init__(self, model, names, pick):
        super().__init__()
        self.model, self.names, self.pick = model, names, pick

    def forward(self, *args):
        return self.pick(self.model(**dict(zip(self.names, args)), return_dict=True))


def randomise(model):
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.add_(torch.randn_like(p) * 0.1)
    return model.eval()


def bert():
    c = tf.BertConfig(vocab_size=61, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
                      max_position_embeddings=16, attn_implementation="eager")
    return tf.BertModel(c), lambda o: o.pooler_output


def gpt2():
    c = tf.GPT2Config(vocab_size=61, n_embd=32, n_layer=2, n_head=4, n_positions=16, attn_implementation="eager", use_cache=False)
    return tf.GPT2LMHeadModel(c), lambda o: o.logits


def vit():
    c = tf.ViTConfig(image_size=16, patch_size=4, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
                     num_labels=10, attn_implementation="eager")
    return tf.ViTForImageClassification(c), lambda o: o.logits


def llama():
    c = tf.LlamaConfig(vocab_size=61, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                       intermediate_size=48, max_position_embeddings=32, attn_implementation="eager", use_cache=False)
    return tf.LlamaForCausalLM(c), lambda o: o.logits


def inputs_of(name):
    if name == "vit":
        return {"pixel_values": torch.randn(1, 3, 16, 16)}
    ids = {"input_ids": torch.randint(0, 61, (1, SEQ)), "attention_mask": torch.tensor([[1] * (SEQ - 2) + [0] * 2])}
    if name.startswith("bert"):
        ids["token_type_ids"] = torch.randint(0, 2, (1, SEQ))
    return ids


def export(name, make, dynamic):
    model, pick = make()
    feeds = inputs_of(name)
    axes = {k: {0: "batch", 1: "seq"} for k in feeds} if dynamic else None
    path = name + ".onnx"
    torch.onnx.export(Wrap(randomise(model), list(feeds), pick), tuple(feeds.values()), path, opset_version=17, dynamo=False,
                      input_names=list(feeds), output_names=["out"], dynamic_axes=axes, do_constant_folding=not dynamic)
    m = onnx.load(path)
    for n in m.graph.node:
        n.doc_string = ""
    onnx.save(m, path)
    feeds = {k: v.numpy() for k, v in feeds.items()}
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    used = {i.name for i in session.get_inputs()}
    feeds = {k: v for k, v in feeds.items() if k in used}
    outs = dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds)))
    with open(name + ".bin", "wb") as f:
        write_case(f, name, b"", feeds, outs)


if __name__ == "__main__":
    for name, make, dynamic in [("bert", bert, False), ("gpt2", gpt2, False), ("vit", vit, False), ("llama", llama, False),
                                ("bert_dyn", bert, True), ("gpt2_dyn", gpt2, True)]:
        if len(sys.argv) < 2 or name in sys.argv[1:]:
            export(name, make, dynamic)
