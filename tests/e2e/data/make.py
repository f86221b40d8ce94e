#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make the small graphs of the end-to-end tests: two good ones and several that must be refused."""
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).resolve().parent
RANDOM = np.random.default_rng(7)


def tensor(name, *shape):
    return numpy_helper.from_array(RANDOM.standard_normal(shape).astype(np.float32) / 2, name)


def graph(name, nodes, weights, x=(4, 8), y=(4, 6), check=True):
    g = helper.make_graph(nodes, name, [helper.make_tensor_value_info("x", TensorProto.FLOAT, x)],
                          [helper.make_tensor_value_info("y", TensorProto.FLOAT, y)], weights)
    model = helper.make_model(g, opset_imports=[helper.make_opsetid("", 17)], producer_name="make.py")
    model.ir_version = 8
    if check:
        onnx.checker.check_model(model, full_check=True)
    (HERE / f"{name}.onnx").write_bytes(model.SerializeToString())


def two_layers(inner):
    return [helper.make_node("MatMul", ["x", "w1"], ["h"], name="first"),
            helper.make_node("Add", ["h", "b1"], ["hb"], name="bias"),
            helper.make_node("Relu", ["hb"], ["r"], name="relu"),
            helper.make_node("MatMul", ["r", "w2"], ["y"], name="second")], \
           [tensor("w1", 8, inner), tensor("b1", inner), tensor("w2", inner, 6)]


def external(location, offset="0", length=str(4 * 8 * 5)):
    t = TensorProto(name="w1", data_type=TensorProto.FLOAT, dims=[8, 5], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        t.external_data.add(key=key, value=value)
    return t


def main():
    nodes, weights = two_layers(5)
    graph("tiny", nodes, weights)
    np.save(HERE / "tiny_x.npy", RANDOM.standard_normal((4, 8)).astype(np.float32))
    np.save(HERE / "wrong_shape_x.npy", RANDOM.standard_normal((4, 7)).astype(np.float32))
    np.save(HERE / "wrong_type_x.npy", RANDOM.integers(1, 9, (4, 8)))
    bad = RANDOM.standard_normal((4, 8)).astype(np.float32)
    bad[2, 3] = np.nan
    np.save(HERE / "nan_x.npy", bad)

    other_nodes, other = two_layers(7)
    graph("other", other_nodes, other)

    rest = weights[1:]
    graph("external_missing", nodes, [external("no_such_file.bin")] + rest, check=False)
    graph("external_escape", nodes, [external("../../../../../../etc/passwd")] + rest, check=False)
    graph("external_range", nodes, [external("tiny.onnx", offset="9223372036854775000")] + rest, check=False)

    poisoned = numpy_helper.to_array(weights[0]).copy()
    poisoned[3, 2] = np.nan
    graph("nan_weight", nodes, [numpy_helper.from_array(poisoned, "w1")] + rest)
    poisoned[3, 2] = np.inf
    graph("inf_weight", nodes, [numpy_helper.from_array(poisoned, "w1")] + rest)

    graph("wrong_shape", nodes, [tensor("w1", 9, 5)] + rest, check=False)
    short = numpy_helper.from_array(numpy_helper.to_array(weights[0]), "w1")
    short.raw_data = short.raw_data[:-4]
    graph("short_weight", nodes, [short] + rest, check=False)
    huge = TensorProto(name="w1", data_type=TensorProto.FLOAT, dims=[1 << 40, 1 << 40], raw_data=b"\1\2\3\4")
    graph("huge_weight", nodes, [huge] + rest, check=False)
    negative = TensorProto(name="w1", data_type=TensorProto.FLOAT, dims=[-8, -5], raw_data=weights[0].raw_data)
    graph("negative_dim", nodes, [negative] + rest, check=False)

    graph("free_dim", nodes, weights, x=("batch", 8), y=("batch", 6))
    graph("no_producer", [nodes[0], nodes[2], nodes[3]], weights, check=False)
    loop = [helper.make_node("Add", ["h", "a"], ["b"], name="egg"), helper.make_node("Relu", ["b"], ["a"], name="hen"),
            helper.make_node("MatMul", ["x", "w1"], ["h"], name="first"), helper.make_node("MatMul", ["a", "w2"], ["y"], name="second")]
    graph("cycle", loop, weights, check=False)
    graph("unsupported", [nodes[0], helper.make_node("NonZero", ["h"], ["z"], name="count"),
                          helper.make_node("Cast", ["z"], ["y"], name="cast", to=TensorProto.FLOAT)], weights[:1],
          y=(2, "n"), check=False)


if __name__ == "__main__":
    main()
