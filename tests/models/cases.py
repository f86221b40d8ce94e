# SPDX-License-Identifier: Apache-2.0
"""The file format of test cases: little-endian, read by tests/unit/support/cases.c.

A case: str name, u64 size and bytes of a model (or none), then u32 count and
arrays: str name, u32 output?, u32 dtype (0 float32, 1 int64, 2 bool), u32 rank,
u64 dims.., the elements.  str: u32 length and bytes.
"""
import struct
import numpy as np


def text(s):
    return struct.pack("<I", len(s)) + s.encode()


def widen(x):
    x = np.asarray(x)
    return x.astype(np.float32 if x.dtype.kind == "f" else np.bool_ if x.dtype == np.bool_ else np.int64)


def write_case(f, name, model, inputs, outputs):
    f.write(text(name) + struct.pack("<Q", len(model)) + model + struct.pack("<I", len(inputs) + len(outputs)))
    for is_output, arrays in enumerate((inputs, outputs)):
        for key, value in arrays.items():
            x = widen(value)
            kind = {"f": 0, "i": 1, "b": 2}[x.dtype.kind]
            f.write(text(key) + struct.pack("<III", is_output, kind, x.ndim) + struct.pack("<%dQ" % x.ndim, *x.shape))
            f.write(np.ascontiguousarray(x).tobytes())
