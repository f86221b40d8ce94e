# SPDX-License-Identifier: Apache-2.0
"""Writes ops.bin: graphs of one operator each, with onnxruntime's results.

Every row of frontend/onnx_ops.def that is not refused has a case here, most of
them with a secret operand and with constants only.  Needs onnx and onnxruntime.
"""
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from cases import write_case

rng = np.random.default_rng(3)
cases = []
ELEM = {"f": TensorProto.FLOAT, "i": TensorProto.INT64, "b": TensorProto.BOOL}


def f(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def pos(*shape):
    return (rng.random(shape) + 0.5).astype(np.float32)


def ints(*x):
    return np.array(x, np.int64)


def case(op, inputs, consts=(), opset=17, domain="", outs=1, label="", fold=False, skip_secret=False, **attrs):
    """inputs and consts: arrays in operand order, None for one of the other kind or an omitted one."""
    n = max(len(inputs), len(consts))
    operands = [(inputs[k] if k < len(inputs) else None, consts[k] if k < len(consts) else None) for k in range(n)]
    variants = ([] if skip_secret else [False]) + ([True] if fold else [])
    for constant in variants:
        names, feeds, init = [], {}, []
        for k, (x, c) in enumerate(operands):
            if x is None and c is None:
                names.append("")
                continue
            names.append("x%d" % k)
            if x is not None and not constant:
                feeds[names[-1]] = x
            else:
                init.append(numpy_helper.from_array(x if x is not None else c, names[-1]))
        outputs = ["y%d" % k for k in range(outs)]
        node = helper.make_node(op, names, outputs, domain=domain, name="n", **attrs)
        graph = helper.make_graph([node], "g", [helper.make_tensor_value_info(k, ELEM[v.dtype.kind], v.shape) for k, v in feeds.items()],
                                  [helper.make_empty_tensor_value_info(y) for y in outputs], init)
        imports = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
        model = helper.make_model(graph, opset_imports=imports, ir_version=8)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        want = dict(zip(outputs, session.run(None, feeds)))
        name = "%s%s-%d%s%s" % (domain + "." if domain else "", op, opset, " " + label if label else "", " const" if constant else "")
        cases.append((name, model.SerializeToString(), feeds, want))


def arithmetic():
    for op in ("Add", "Sub", "Mul", "Div"):
        case(op, [f(2, 1, 4), pos(3, 1)], fold=True)
        case(op, [ints(7, -9, 5), ints(2, 4, -3)], label="int", skip_secret=True, fold=True)
    for op in ("Neg", "Exp", "Erf", "Tanh", "Sigmoid", "Relu"):
        case(op, [f(2, 5)], fold=True)
    for op in ("Sqrt", "Log", "Reciprocal"):
        case(op, [pos(2, 5)], fold=True)
    for op in ("Sin", "Cos", "Abs", "Floor", "Ceil"):
        case(op, [3 * f(2, 5)], fold=True, skip_secret=True)
    case("Pow", [pos(2, 3)], [None, np.array(2.5, np.float32)], fold=True)
    case("Pow", [f(2, 3)], [None, np.array([3], np.int64)], label="int exponent")
    case("Clip", [f(3, 3)], [None, np.array(-0.5, np.float32), np.array(0.25, np.float32)], fold=True)
    case("Clip", [f(3, 3)], [None, None, np.array(0.25, np.float32)], label="no lower")
    for op in ("Min", "Max"):
        case(op, [f(2, 3)], [None, np.array(0.1, np.float32)])
        case(op, [f(2, 3), f(3), f(2, 1)], label="three", fold=True, skip_secret=True)
    case("Sum", [f(2, 3), f(3), f(2, 1)], fold=True)
    case("Where", [None, f(2, 3), f(3)], [np.array([[True, False, True]])])
    case("Where", [np.array([[True, False, True]]), f(2, 3), f(3)], label="secret condition", fold=True)
    case("Cast", [ints(0, 1, 5)], to=TensorProto.FLOAT, fold=True)
    case("Cast", [3 * f(6)], to=TensorProto.INT64, label="to int", fold=True)
    case("Cast", [f(6)], to=TensorProto.FLOAT16, label="to half", skip_secret=True)
    case("Identity", [f(2, 2)], fold=True)
    case("Dropout", [f(2, 2)], outs=2)
    case("Gelu", [f(2, 7)], opset=20)
    case("Gelu", [f(2, 7)], opset=20, label="tanh", approximate="tanh", fold=True)
    case("Gelu", [f(2, 7)], domain="com.microsoft")
    case("FastGelu", [f(2, 7)], [None, f(7)], domain="com.microsoft")
    case("BiasGelu", [f(2, 7)], [None, f(7)], domain="com.microsoft")
    case("QuickGelu", [f(2, 7)], domain="com.microsoft", alpha=1.702)
    case("QuickGelu", [f(2, 7)], domain="com.microsoft", label="silu", alpha=1.0)


def activations():
    for op in ("Abs", "Softplus", "Softsign", "Elu", "Celu", "Selu", "LeakyRelu", "HardSigmoid", "HardSwish"):
        case(op, [3 * f(2, 5)], fold=op != "Abs")
    case("Mish", [3 * f(2, 5)], opset=18, fold=True)
    case("Elu", [f(7)], label="alpha", alpha=0.5)
    case("Celu", [f(7)], label="alpha", alpha=2.0)
    case("Selu", [f(7)], label="alpha, gamma", alpha=1.5, gamma=1.25)
    case("LeakyRelu", [f(7)], label="alpha", alpha=0.2)
    case("HardSigmoid", [4 * f(7)], label="alpha, beta", alpha=0.25, beta=0.4)


def products():
    case("MatMul", [f(2, 3, 4)], [None, f(4, 5)], fold=True)
    case("MatMul", [f(2, 1, 3, 4), f(5, 4, 9)], label="batches")
    case("MatMul", [f(9, 300)], [None, f(300, 17)], label="blocks")
    case("MatMul", [f(4), f(2, 4, 3)], label="vector left")
    case("MatMul", [f(2, 3, 4), f(4)], label="vector right")
    case("MatMul", [f(4), f(4)], label="vectors")
    case("Gemm", [f(3, 4)], [None, f(4, 5), f(5)], fold=True)
    case("Gemm", [f(3, 4)], [None, f(5, 4), f(1, 5)], label="transB", transB=1)
    case("Gemm", [f(4, 3), None, f(3, 1)], [None, f(5, 4)], label="all", transA=1, transB=1, alpha=0.5, beta=2.0)
    case("Gemm", [f(3, 4)], [None, f(4, 5)], label="no C")
    case("FusedGemm", [f(3, 4)], [None, f(5, 4), f(5)], domain="com.microsoft", transB=1, activation="Tanh")
    case("FusedMatMul", [f(2, 3, 4)], [None, f(5, 4)], domain="com.microsoft", transB=1, alpha=0.25)
    case("FusedMatMul", [f(4, 3)], [None, f(4, 5)], domain="com.microsoft", label="transA", transA=1)
    case("Conv", [f(2, 3, 9, 8)], [None, f(5, 3, 4, 2), f(5)], strides=[4, 2], kernel_shape=[4, 2])
    case("Conv", [f(1, 2, 12)], [None, f(4, 2, 3)], label="1d", strides=[3], pads=[0, 0])


def norms():
    case("Softmax", [f(2, 3, 4)], fold=True)
    case("Softmax", [f(2, 3, 4)], label="axis 1", axis=1)
    case("Softmax", [f(2, 3, 4)], label="flattened", opset=11)
    case("LayerNormalization", [f(2, 3, 8)], [None, f(8), f(8)], epsilon=1e-5, fold=True)
    case("LayerNormalization", [f(2, 3, 4)], [None, f(3, 4)], label="two axes, statistics", axis=1, outs=3)
    case("SimplifiedLayerNormalization", [f(2, 3, 8)], [None, f(8)], epsilon=1e-6, axis=-1)
    case("SkipLayerNormalization", [f(2, 3, 8), f(2, 3, 8)], [None, None, f(8), f(8), f(8)], domain="com.microsoft", epsilon=1e-5)
    case("SkipSimplifiedLayerNormalization", [f(2, 3, 8), f(2, 3, 8)], [None, None, f(8)], domain="com.microsoft", epsilon=1e-5)
    for op in ("ReduceMean", "ReduceL2"):
        case(op, [f(2, 3, 4)], axes=[-1], keepdims=1, fold=True)
        case(op, [f(2, 3, 4)], label="all", keepdims=0)
        case(op, [f(2, 3, 4)], [None, ints(0, 2)], opset=18, keepdims=0)
    case("ReduceSum", [f(2, 3, 4)], [None, ints(1)], keepdims=0, fold=True)
    case("ReduceSum", [f(2, 3, 4)], opset=11, axes=[0, 1])
    for op in ("ReduceMax", "ReduceMin", "ReduceProd"):
        case(op, [f(2, 3, 4)], axes=[1], keepdims=0, fold=True, skip_secret=True)
    case("ArgMax", [f(2, 5, 3)], axis=1, keepdims=0, fold=True)
    case("ArgMax", [f(2, 5)], axis=-1)


def layout():
    case("Reshape", [f(2, 3, 4)], [None, ints(0, -1, 2)], fold=True)
    case("Flatten", [f(2, 3, 4)], axis=2, fold=True)
    case("Squeeze", [f(1, 3, 1)], [None, ints(0)])
    case("Squeeze", [f(1, 3, 1)], label="all")
    case("Squeeze", [f(1, 3, 1)], opset=11, axes=[-1])
    case("Unsqueeze", [f(3, 2)], [None, ints(0, -1)], fold=True)
    case("Unsqueeze", [f(3, 2)], opset=11, axes=[1])
    case("Transpose", [f(2, 3, 4)], perm=[2, 0, 1], fold=True)
    case("Transpose", [f(2, 3, 4)], label="reversed")
    case("Concat", [f(2, 3), None, f(2, 1)], [None, f(2, 2)], axis=-1, fold=True)
    case("Split", [f(2, 7)], [None, ints(3, 4)], axis=1, outs=2)
    case("Split", [f(6, 2)], label="equal", outs=3, fold=True)
    case("Split", [f(7, 2)], opset=18, num_outputs=3, outs=3)
    case("Split", [f(5, 2)], opset=11, split=[1, 4], outs=2)
    case("Slice", [f(5, 6)], [None, ints(1, -1), ints(2**62, -7), ints(0, 1), ints(2, -2)], fold=True)
    case("Slice", [f(5, 6)], [None, ints(1), ints(4)], label="no axes")
    case("Expand", [f(3, 1)], [None, ints(2, 1, 4)], fold=True)
    case("Tile", [f(2, 3)], [None, ints(2, 1)], fold=True)
    case("Gather", [f(5, 3)], [None, np.array([[0, -1], [2, 2]])], fold=True)
    case("Gather", [f(4, 5)], [None, ints(1, 2, 3)], label="run", axis=1)
    case("Gather", [f(4, 5)], [None, np.array(-2)], label="scalar", axis=1)
    case("Gather", [None, np.array([[3, 0, 4]])], [f(5, 3)], label="embedding")
    case("GatherND", [f(2, 5)], [None, np.array([[[0, 1], [0, 2], [0, 3]], [[1, -1], [0, 0], [1, 2]]])], fold=True)
    case("GatherND", [f(2, 5, 3)], [None, np.array([[1, 4], [0, 0]])], label="rows")
    case("Trilu", [f(2, 4, 4)], [None, np.array(1)], upper=0, fold=True)
    case("Trilu", [f(3, 5)], label="upper")


def compile_time():
    case("Shape", [f(2, 3, 4)], start=1, fold=True)
    case("Size", [f(2, 3, 4)], fold=True)
    for key, value in (("value", numpy_helper.from_array(f(2, 3))), ("value_float", 0.5), ("value_floats", [1.0, 2.0]), ("value_int", 3), ("value_ints", [4, 5])):
        case("Constant", [], label=key, **{key: value})
    case("ConstantOfShape", [], [ints(2, 3)], value=helper.make_tensor("v", TensorProto.INT64, [1], [7]))
    case("Range", [], [np.array(2), np.array(11), np.array(3)])
    case("Range", [], [np.array(1, np.float32), np.array(-1, np.float32), np.array(-0.5, np.float32)], label="float")
    for op in ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"):
        case(op, [ints(1, 2, 3), ints(2, 2, 2)], fold=True, skip_secret=True)
        case(op, [f(2, 3), f(3)], label="float", fold=True, skip_secret=True)
    case("Equal", [ints(1, 0, 1)], [None, np.array(0)], label="secret")
    for op in ("And", "Or", "Xor"):
        x, y = np.array([True, True, False, False]), np.array([True, False, True, False])
        case(op, [x, y], fold=True, skip_secret=op == "Xor")
    case("Not", [np.array([True, False])], fold=True)
    case("CumSum", [ints(1, 0, 1, 1)], [None, np.array(0)], fold=True)
    case("CumSum", [f(2, 3, 4)], [None, np.array(1)], label="axis 1", reverse=1, exclusive=1, fold=True)
    case("Mod", [ints(7, -7, 7), ints(3, 3, -3)], fold=True, skip_secret=True)
    case("Mod", [f(4), pos(4)], label="float", fmod=1, fold=True, skip_secret=True)
    case("IsNaN", [np.array([1, np.nan], np.float32)], fold=True, skip_secret=True)
    case("GatherElements", [f(4, 3)], [None, np.array([[1, -1], [0, 2], [3, 3]])], axis=0, fold=True, skip_secret=True)
    case("GatherElements", [f(2, 3)], [None, np.array([[1, -1, 0, 0]])], label="axis 1", axis=1, fold=True, skip_secret=True)
    case("ScatterND", [f(4, 3)], [None, np.array([[1], [-1]]), f(2, 3)], fold=True, skip_secret=True)


def transposed_weight():
    """A large transposed weight: used as it is stored by the product, folded for the sum."""
    w, x = f(128, 130), f(2, 130)
    nodes = [helper.make_node("Transpose", ["w"], ["t"], perm=[1, 0]), helper.make_node("MatMul", ["x", "t"], ["y"]),
             helper.make_node("ReduceSum", ["t"], ["s"], keepdims=0)]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", ELEM["f"], x.shape)],
                              [helper.make_empty_tensor_value_info(k) for k in "ys"], [numpy_helper.from_array(w, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    cases.append(("Transpose of a weight", model.SerializeToString(), {"x": x}, {"y": x @ w.T, "s": w.sum()}))


if __name__ == "__main__":
    for group in (arithmetic, products, norms, layout, compile_time, transposed_weight, activations):
        group()
    with open("ops.bin", "wb") as out:
        for c in cases:
            write_case(out, *c)
    print(len(cases), "cases")
