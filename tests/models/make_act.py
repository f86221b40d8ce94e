# SPDX-License-Identifier: Apache-2.0
"""Writes act_*.onnx: two layers with an activation that sufc does not know, as an operator, as what exporters make of
it, and as an operator of somebody's own; act_x.npy: an input; act_y.npy: x*tanh(log(1+exp(x))) as activation.
"""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(5)
W1 = (rng.standard_normal((8, 12)) * 1.5).astype(np.float32)
W2 = (rng.standard_normal((12, 6)) / 4).astype(np.float32)


def model(name, nodes, opset=18, domain=None):
    nodes = [helper.make_node("MatMul", ["x", "w1"], ["h"], name="first")] + nodes + \
            [helper.make_node("MatMul", ["a", "w2"], ["y"], name="second")]
    graph = helper.make_graph(nodes, name, [helper.make_tensor_value_info("x", TensorProto.FLOAT, (4, 8))],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, (4, 6))],
                              [numpy_helper.from_array(W1, "w1"), numpy_helper.from_array(W2, "w2"), numpy_helper.from_array(np.float32(1), "one")])
    imports = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8, producer_name="make_act.py"), f"act_{name}.onnx")


def node(op, inputs, output, **attributes):
    return helper.make_node(op, inputs, [output], name=f"{op.lower()}_{output}", **attributes)


if __name__ == "__main__":
    model("mish", [node("Mish", ["h"], "a")])
    model("parts", [node("Softplus", ["h"], "s"), node("Tanh", ["s"], "t"), node("Mul", ["h", "t"], "a")], opset=17)
    model("log", [node("Exp", ["h"], "e"), node("Add", ["one", "e"], "p"), node("Log", ["p"], "s"), node("Tanh", ["s"], "t"),
                  node("Mul", ["t", "h"], "a")], opset=17)
    model("foo", [node("Foo", ["h"], "a", domain="com.acme", steps=3)], opset=17, domain="com.acme")
    x = rng.standard_normal((4, 8)).astype(np.float32)
    h = x.astype(np.float64) @ W1
    np.save("act_x.npy", x)
    np.save("act_y.npy", ((h * np.tanh(np.log1p(np.exp(h)))) @ W2).astype(np.float32))
