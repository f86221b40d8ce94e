#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Train and export a character-level GPT-2 on the English texts of Debian's package fortunes.

The model is transformers' GPT2LMHeadModel, made small: two pre-norm layers, tanh GELU,
causal attention, learned positions, tied embedding.  Task: predict the next character at
each of 32 positions.  Takes about six minutes on one core.
"""
import collections
import json
import pathlib
import sys

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import common

HERE = common.folder_of(__file__)
TEXTS = pathlib.Path("/usr/share/games/fortunes")
FILES = ["computers", "science", "wisdom", "people", "work", "literature", "platitudes", "education"]
SEED, CONTEXT, VOCABULARY, HELD_OUT, SAMPLES = 2, 32, 48, 256, 4


class Logits(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids):
        # Without a mask of ones the exporter meets the detection of packed sequences, which ONNX cannot express.
        return self.model(input_ids=input_ids, attention_mask=torch.ones_like(input_ids)).logits


def read_texts():
    """All fortunes, lower case, one space for any white space, in random but fixed order."""
    texts = []
    for name in FILES:
        body = (TEXTS / name).read_text(errors="replace").lower()
        texts += [" ".join(t.split()) for t in body.split("\n%\n")]
    order = np.random.RandomState(SEED).permutation(len(texts))
    return [texts[i] for i in order if len(texts[i]) > CONTEXT + 1]


def main():
    common.setup(SEED)
    texts = read_texts()
    cut = len(texts) * 9 // 10
    count = collections.Counter("".join(texts[:cut]))
    symbols = [c for c, _ in count.most_common(VOCABULARY - 1)]  # id VOCABULARY - 1: any other character
    index = {c: i for i, c in enumerate(symbols)}
    encode = lambda t: [index.get(c, VOCABULARY - 1) for c in t]
    stream = torch.tensor(encode("~".join(texts[:cut])))
    held = [encode(t[:CONTEXT + 1]) for t in texts[cut:]][:HELD_OUT]
    held = np.array(held, dtype=np.int64)

    config = GPT2Config(vocab_size=VOCABULARY, n_embd=64, n_layer=2, n_head=4, n_positions=CONTEXT,
                        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, use_cache=False,
                        bos_token_id=None, eos_token_id=None, attn_implementation="eager")
    model = Logits(GPT2LMHeadModel(config))
    span = torch.arange(CONTEXT + 1)

    def loss_of_batch(start):
        window = stream[start[:, None] + span]
        logits = model(window[:, :-1])
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), window[:, 1:].flatten())

    common.train(model, loss_of_batch, len(stream) - CONTEXT - 1, steps=6000, batch=48, rate=4e-3, decay=0.05)

    path = common.export(model, (torch.from_numpy(held[:1, :-1].copy()),), ["input_ids"], HERE)
    starts = np.random.RandomState(SEED).randint(0, len(stream) - CONTEXT, 64)
    calibrate = np.stack([stream[s:s + CONTEXT].numpy() for s in starts])
    captions = ["".join(symbols[i] if i < len(symbols) else "?" for i in row[:-1]).replace(" ", "_")
                for row in held[:SAMPLES]]
    (HERE / "vocabulary.json").write_text(json.dumps("".join(symbols)) + "\n")
    accuracy = common.save(HERE, {"input_ids": held[:, :-1].copy()}, held[:, 1:].copy(), {"input_ids": calibrate},
                           path, SAMPLES, captions, False)
    assert accuracy >= 0.40, accuracy


if __name__ == "__main__":
    main()
