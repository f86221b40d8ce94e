# SPDX-License-Identifier: Apache-2.0
"""Writes models that must be refused, and one with external data.  Needs onnx and onnxruntime."""
import os
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from cases import write_case

F, I = TensorProto.FLOAT, TensorProto.INT64


def save(name, nodes, inputs, outputs, init=(), opset=17, extra=()):
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info(*i) for i in inputs], [helper.make_tensor_value_info(*o) for o in outputs], init)
    imports = [helper.make_opsetid("", opset)] + [helper.make_opsetid(d, 1) for d in extra]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    with open(name + ".onnx", "wb") as f:
        f.write(model.SerializeToString())
    return model


def bad_nodes():
    n = helper.make_node
    body = helper.make_graph([n("Identity", ["x"], ["z"])], "b", [], [helper.make_tensor_value_info("z", F, [2, 3])])
    c = lambda name, x: numpy_helper.from_array(np.array(x), name)
    nodes = [
        n("StrangeOp", ["x"], ["s"], name="first/Strange"), n("NonZero", ["x"], ["nz"], name="second"), n("Add", ["x", "w"], ["a"], name="third"),
        n("DynamicQuantizeLinear", ["x"], ["q", "qs", "qz"]), n("Foo", ["x"], ["foo"], domain="my.domain"), n("Add", ["x", "nowhere"], ["b"]),
        n("Relu", ["x"], ["r"], alpha=1), n("Relu", ["late"], ["late"]), n("Relu", ["x"], ["late"]), n("Add", ["x", "ids"], ["t"]),
        n("If", ["x"], ["i"], then_branch=body, else_branch=body), n("Reshape", ["x", "shape"], ["re"]), n("Div", ["two", "zero"], ["d"]),
        n("Gather", ["x", "seven"], ["g"]), n("Expand", ["zero", "huge"], ["e"]), n("Relu", ["s"], ["quiet"]),
    ]
    save("bad_nodes", nodes, [("x", F, [2, 3]), ("ids", I, [2, 3]), ("shape", I, [2])], [("quiet", F, None), ("missing", F, None)],
         [numpy_helper.from_array(np.ones(4, np.float32), "w"), c("two", [2]), c("zero", [0]), c("seven", [7]), c("huge", [1 << 20, 1 << 15])], extra=["my.domain"])


def external(name, location, offset=None, length=None):
    t = TensorProto(name=name, data_type=F, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        if value is not None:
            t.external_data.add(key=key, value=str(value))
    return t


def bad_external():
    init = [external("up", "../w.bin"), external("root", "/etc/passwd"), external("deep", "a/../../w.bin"), external("absent", "absent.bin"),
            external("folder", "."), external("short", "external.data", 4096), external("length", "external.data", 0, 12), external("none", None),
            external("number", "external.data", "-1")]
    save("bad_external", [helper.make_node("Add", ["x", t.name], ["y" + t.name]) for t in init], [("x", F, [4])], [("y" + t.name, F, [4]) for t in init], init)


def good_external():
    rng = np.random.default_rng(5)
    w, b, h = rng.standard_normal((4, 4)).astype(np.float32), rng.standard_normal(4).astype(np.float32), rng.standard_normal((4, 4)).astype(np.float16)
    with open("external.data", "wb") as f:  # w aligned, b at an odd offset, h in half precision
        f.write(b"\0" * 16 + w.tobytes() + b"\0" + b.tobytes() + h.tobytes())
    init = [external("w", "external.data", 16, 64), external("b", "external.data", 81, 16), external("h", "external.data", 97)]
    init[0].dims[:] = [4, 4]
    init[2].dims[:] = [4, 4]
    init[2].data_type = TensorProto.FLOAT16
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Add", ["m", "b"], ["a"]),
             helper.make_node("Cast", ["h"], ["hf"], to=F), helper.make_node("MatMul", ["a", "hf"], ["y"])]
    save("external", nodes, [("x", F, [2, 4])], [("y", F, [2, 4])], init)
    x = rng.standard_normal((2, 4)).astype(np.float32)
    y = onnxruntime.InferenceSession("external.onnx", providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
    with open("external.bin", "wb") as f:
        write_case(f, "external", b"", {"x": x}, {"y": y})


if __name__ == "__main__":
    bad_nodes()
    bad_external()
    good_external()
    save("bad_opset", [helper.make_node("Relu", ["x"], ["y"])], [("x", F, [4])], [("y", F, [4])], opset=9)
