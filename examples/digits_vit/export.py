#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Train and export a small vision transformer on the 8x8 handwritten digits of scikit-learn.

The model is transformers' ViTForImageClassification, made small: 2x2 patches by a
strided convolution, a class token, learned positions, three pre-norm layers, erf GELU.
Takes about three minutes on one core.
"""
import pathlib
import sys

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from transformers import ViTConfig, ViTForImageClassification

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import common

HERE = common.folder_of(__file__)
SEED, HELD_OUT, SAMPLES = 1, 360, 8


class Logits(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixels):
        return self.model(pixel_values=pixels).logits


def shifted(images):
    """Augmentation: move each image by up to one pixel and scale its brightness a little."""
    count = len(images)
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1), value=-1.0)
    dy, dx = torch.randint(0, 3, (2, count))
    rows = dy[:, None] + torch.arange(8)
    cols = dx[:, None] + torch.arange(8)
    moved = padded[torch.arange(count)[:, None, None], 0, rows[:, :, None], cols[:, None, :]][:, None]
    gain = 1 + 0.1 * torch.randn(count, 1, 1, 1)
    return ((moved + 1) * gain - 1).clamp(-1, 1)


def main():
    common.setup(SEED)
    digits = load_digits()
    images = (digits.images[:, None] / 8.0 - 1.0).astype(np.float32)  # 0..16 -> -1..1
    labels = digits.target.astype(np.int64)
    x, x_held, y, y_held = train_test_split(images, labels, test_size=HELD_OUT, random_state=SEED, stratify=labels)

    config = ViTConfig(hidden_size=48, num_hidden_layers=3, num_attention_heads=3, intermediate_size=96,
                       image_size=8, patch_size=2, num_channels=1, num_labels=10, hidden_act="gelu",
                       hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, attn_implementation="eager")
    model = Logits(ViTForImageClassification(config))
    xt, yt = torch.from_numpy(x), torch.from_numpy(y)
    common.train(model, lambda i: torch.nn.functional.cross_entropy(model(shifted(xt[i])), yt[i], label_smoothing=0.05),
                 len(xt), steps=2500, batch=64, rate=2e-3, decay=0.05)

    path = common.export(model, (xt[:1],), ["pixels"], HERE)
    captions = [f"digit {label}" for label in y_held[:SAMPLES]]
    accuracy = common.save(HERE, {"pixels": x_held}, y_held, {"pixels": x[:256]}, path, SAMPLES, captions, True)
    assert accuracy >= 0.96, accuracy


if __name__ == "__main__":
    main()
