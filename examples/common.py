# SPDX-License-Identifier: Apache-2.0
"""What the three export.py scripts share: ONNX export, the float reference, files."""
import json
import pathlib

import numpy as np
import onnx
import onnxruntime
import torch

OPSET = 17


def setup(seed):
    """Fixed seeds, one thread: the same data and nearly the same weights on every machine."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


def export(module, example, names, folder):
    """Write folder/model.onnx: opset 17, static shapes, batch 1, one self-contained file."""
    path = folder / "model.onnx"
    module.eval()
    with torch.no_grad():
        torch.onnx.export(module, example, str(path), input_names=names, output_names=["logits"],
                          opset_version=OPSET, dynamo=False)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    size = path.stat().st_size
    assert size < 2 << 20, f"{path}: {size} bytes"
    print(f"{path}: {len(model.graph.node)} nodes, {size} bytes")
    return path


def float_run(path, inputs):
    """Run model.onnx with onnxruntime on every example (first axis); returns the stacked outputs."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    count = len(next(iter(inputs.values())))
    rows = [session.run(None, {k: v[i:i + 1] for k, v in inputs.items()})[0] for i in range(count)]
    return np.concatenate(rows)


def train(module, loss_of_batch, examples, steps, batch, rate, decay=0.01, report=500):
    """AdamW with warm-up and cosine decay.  loss_of_batch(indices) -> scalar."""
    opt = torch.optim.AdamW(module.parameters(), lr=rate, weight_decay=decay)
    lr = torch.optim.lr_scheduler.OneCycleLR(opt, rate, total_steps=steps, pct_start=0.1)
    module.train()
    for step in range(steps):
        loss = loss_of_batch(torch.randint(0, examples, (batch,)))
        opt.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        opt.step()
        lr.step()
        if (step + 1) % report == 0:
            print(f"step {step + 1}: loss {loss.item():.3f}", flush=True)
    module.eval()


def save(folder, inputs, labels, calibrate, path, samples, captions, keep_outputs):
    """Write the held-out set, the float reference and `samples` single examples.

    inputs, calibrate: {input name: array}.  One input: inputs.npy and sample_K.npy;
    more: NAME.npy and sample_K.NAME.npy.  samples.txt: one line per sample, label, float
    prediction and a caption, for programs that cannot read .npy files.
    """
    single = len(inputs) == 1
    outputs = float_run(path, inputs)
    predictions = outputs.argmax(-1).astype(np.int64)
    accuracy = float((predictions == labels).mean())
    for name, value in inputs.items():
        np.save(folder / ("inputs.npy" if single else f"{name}.npy"), value)
    np.save(folder / "labels.npy", labels)
    np.save(folder / "float_predictions.npy", predictions)
    if keep_outputs:
        np.save(folder / "float_outputs.npy", outputs.astype(np.float32))
    np.savez(folder / "calibrate.npz", **calibrate)
    lines = ["# sample label float_prediction caption"]
    for k in range(samples):
        for name, value in inputs.items():
            np.save(folder / (f"sample_{k}.npy" if single else f"sample_{k}.{name}.npy"), value[k:k + 1])
        label, guess = np.atleast_1d(labels[k])[-1], np.atleast_1d(predictions[k])[-1]
        lines.append(f"{k} {label} {guess} {captions[k]}")
    (folder / "samples.txt").write_text("\n".join(lines) + "\n")
    report = {"examples": len(labels), "predictions": int(labels.size), "float_accuracy": round(accuracy, 5),
              "parameters": sum(int(np.prod(t.dims)) for t in onnx.load(path).graph.initializer)}
    print(json.dumps(report))
    return accuracy


def folder_of(script):
    return pathlib.Path(script).resolve().parent
