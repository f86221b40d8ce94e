#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Train and export a small BERT that tells kinds of text apart, on Debian's package fortunes.

The model is transformers' BertForSequenceClassification, made small: two post-norm
layers, erf GELU, pooler.  Classes: four collections of the package.  Words outside the
vocabulary become [UNK].  The graph gets the attention mask in the arithmetic form
(1 - mask) * smallest float, as transformers 4 exports it.  Takes about four minutes on
one core.
"""
import collections
import json
import pathlib
import re
import sys

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from transformers import BertConfig, BertForSequenceClassification

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import common

HERE = common.folder_of(__file__)
TEXTS = pathlib.Path("/usr/share/games/fortunes")
CLASSES = [("definition", "definitions"), ("verse", "songs-poems"), ("chat", "knghtbrd"), ("platitude", "platitudes")]
SEED, LENGTH, VOCABULARY, HELD_OUT, SAMPLES = 3, 32, 768, 400, 6
PAD, UNK, CLS, SEP = 0, 1, 2, 3
WORD = re.compile(r"\n|[A-Za-z']+|[0-9]|[^\sA-Za-z0-9]")


class Logits(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        mask = (1.0 - attention_mask[:, None, None, :].to(torch.float32)) * torch.finfo(torch.float32).min
        return self.model(input_ids=input_ids, attention_mask=mask, token_type_ids=torch.zeros_like(input_ids)).logits


def read_texts():
    texts, labels = [], []
    for label, (_, name) in enumerate(CLASSES):
        body = (TEXTS / name).read_text(errors="replace")
        found = [t.strip() for t in re.split(r"^%\n", body, flags=re.M)]
        found = sorted({t for t in found if len(t) > 20})
        texts += found
        labels += [label] * len(found)
    return texts, np.array(labels, dtype=np.int64)


def words(text):
    return [w.lower() for w in WORD.findall(text)][:LENGTH - 2]


def encode(texts, index):
    ids = np.full((len(texts), LENGTH), PAD, dtype=np.int64)
    for row, text in zip(ids, texts):
        seq = [CLS] + [index.get(w, UNK) for w in words(text)] + [SEP]
        row[:len(seq)] = seq
    return ids, (ids != PAD).astype(np.int64)


def main():
    common.setup(SEED)
    texts, labels = read_texts()
    x, x_held, y, y_held = train_test_split(texts, labels, test_size=HELD_OUT, random_state=SEED, stratify=labels)
    count = collections.Counter(w for t in x for w in words(t))
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] + sorted(count, key=lambda w: (-count[w], w))[:VOCABULARY - 4]
    index = {w: i for i, w in enumerate(vocabulary)}
    ids, mask = encode(x, index)
    ids_held, mask_held = encode(x_held, index)

    config = BertConfig(vocab_size=VOCABULARY, hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
                        intermediate_size=128, max_position_embeddings=LENGTH, num_labels=len(CLASSES),
                        hidden_dropout_prob=0.2, attention_probs_dropout_prob=0.1, attn_implementation="eager")
    model = Logits(BertForSequenceClassification(config))
    it, mt, yt = torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(y)

    def loss_of_batch(i):
        hide = (torch.rand(len(i), LENGTH) < 0.15) & (it[i] > SEP)  # word dropout
        return torch.nn.functional.cross_entropy(model(it[i].masked_fill(hide, UNK), mt[i]), yt[i], label_smoothing=0.05)

    common.train(model, loss_of_batch, len(it), steps=1500, batch=48, rate=1e-3, decay=0.05)

    path = common.export(model, (it[:1], mt[:1]), ["input_ids", "attention_mask"], HERE)
    (HERE / "vocabulary.json").write_text(json.dumps(vocabulary) + "\n")
    captions = [CLASSES[label][0] for label in y_held[:SAMPLES]]
    accuracy = common.save(HERE, {"input_ids": ids_held, "attention_mask": mask_held}, y_held,
                           {"input_ids": ids[:128], "attention_mask": mask[:128]}, path, SAMPLES, captions, True)
    assert accuracy >= 0.90, accuracy


if __name__ == "__main__":
    main()
