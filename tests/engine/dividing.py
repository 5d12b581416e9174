"""`python -m tests.engine.dividing RANK FOLDER`: one of two processes that take two steps with each divided
model of the tables.

The first writes FOLDER/found.json: for each case the largest difference to the same steps of one whole model,
how far these moved the weights, how many weights the largest part has, and how many there are.
"""

from __future__ import annotations

import copy
import json
import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import distributed

from lifecycle.runtime.engine import sharding
from lifecycle.runtime.engine.decoders import build_decoder
from lifecycle.runtime.engine.spec import Base, TrainSpec
from lifecycle.runtime.engine.strategies import counts, learning, trainable_state
from lifecycle.runtime.engine.strategy import Strategy
from lifecycle.runtime.engine.task_types.by_key.learners import learner_of
from lifecycle.runtime.engine.task_types.generation.answering import collate_examples
from lifecycle.runtime.engine.task_types.generation.prompts import Example
from lifecycle.runtime.task_types.by_key.types import type_of
from tests.engine.divided_cases import DECODING, ENCODING, INNER, name_of
from tests.support.architectures import make_encoder
from tests.support.tiny_decoders import make_tiny_decoder

PROCESSES = 2
TEXTS = [[3, 4, 5, 6, 7], [8, 9, 10, 11, 12], [5, 6, 7, 8, 9], [12, 11, 10, 9, 8]]
TARGETS = {
    "single_label": [np.array(each) for each in (0, 2, 1, 1)],
    "multi_label": [np.array(each) for each in ([1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 1, 1])],
    "spans": [
        np.array(each)
        for each in (
            [-100, 1, 2, 0, -100],
            [-100, 5, 6, 0, -100],
            [-100, 0, 3, 4, -100],
            [-100, 0, 0, 1, -100],
        )
    ],
    "preference": [np.array([0, 1]), np.array([1, 0])],
}


def classifying(base, kind, task):
    """A model that was begun from torch's seed, and its batch of rows."""
    learner, labels, names = (
        learner_of(task),
        TARGETS[task],
        () if type_of(task).has_responses else ("a", "b", "c"),
    )
    spec = TrainSpec(
        Base("base", "base"), names, task=task, strategy=Strategy(kind, dropout=0.0, **INNER.get(kind, {}))
    )
    rows = [TEXTS[:2], TEXTS[2:]] if type_of(task).has_responses else TEXTS
    targets = np.array(labels) if task in ("single_label", "multi_label") else labels
    return learner.build(base, spec, learner.loss(spec, targets)), learner.pad(rows, 1, token_types=False) | {
        "labels": learner.stack(labels)
    }


def writing(base, kind):
    """The same of a decoder, whose rows count equally: each has as many tokens."""
    examples = [Example(tuple(ids), tuple(ids), prompt=1) for ids in TEXTS]
    return build_decoder(base, Strategy(kind, dropout=0.0, **INNER.get(kind, {}))), collate_examples(
        examples, 1
    )


def step_twice(model, batch):
    optimizer = torch.optim.SGD(learning(model).values(), lr=0.2)
    for _ in range(2):
        model.eval()(**batch)["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()


def alone(whole, batch):
    """The trainable weights, before and after the steps of one whole model."""
    before = {name: each.clone() for name, each in trainable_state(whole).items()}
    step_twice(whole, batch)
    return before, trainable_state(whole)


def furthest(one, other):
    """The largest difference of two weights in the same place."""
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def compare(rank, begin):
    """One case's entry in `found.json`. Only the first process also steps the whole model, and returns
    one.
    """
    torch.manual_seed(0)
    divided, batch = begin()
    weights = counts(divided)[1]
    before, after = alone(copy.deepcopy(divided), batch) if rank == 0 else ({}, {})
    sharding.check(divided)
    held = sharding.divide(divided, "cpu", PROCESSES)
    step_twice(divided, {name: each[rank::PROCESSES] for name, each in batch.items()})
    together = sharding.gathered(learning(divided), keep=True)
    if rank > 0:
        return None
    assert after.keys() == together.keys()
    return {
        "difference": furthest(after, together),
        "moved": furthest(after, before),
        "held": held,
        "all": weights,
    }


def main(rank, folder):
    # before they meet: then the first alone would save
    for architecture in dict.fromkeys(each[0] for each in ENCODING):
        make_encoder(architecture).save_pretrained(folder / f"{rank}" / architecture)
    for architecture in dict.fromkeys(each[0] for each in DECODING):
        make_tiny_decoder(folder / f"{rank}" / architecture, architecture=architecture)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder / 'store'}", rank=rank, world_size=PROCESSES
    )
    found = {}
    for architecture, kind, task in (*ENCODING, *DECODING):
        base = folder / f"{rank}" / architecture
        begin = (
            partial(writing, base, kind) if task == "generation" else partial(classifying, base, kind, task)
        )
        case = name_of(architecture, kind, task)
        print(case, flush=True)  # so that a failure is printed after its case
        found[case] = compare(rank, begin)
    if rank == 0:
        (folder / "found.json").write_text(json.dumps(found))
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
