"""Run folders of prompts and completions over a tiny decoder, and how a run reads them."""

from __future__ import annotations

import json

from tests.support.tiny_decoders import QUESTIONS


def write_pairs(path, pairs):
    """(prompt, answer) or (prompt, answer, context)."""
    rows = [
        {"id": f"{number:064x}", "text": pair[0], "answer": pair[1]}
        | ({"context": pair[2]} if len(pair) > 2 else {})
        for number, pair in enumerate(pairs)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def make_run(folder, base, *, pairs=QUESTIONS, validation=None, **fields):
    """A run folder; fields replace those of its spec."""
    folder.mkdir(parents=True)
    write_pairs(folder / "train.jsonl", pairs)
    write_pairs(folder / "validation.jsonl", pairs if validation is None else validation)
    spec = {
        "base": {"path": str(base), "name": "tiny"},
        "labels": [],
        "task": "generation",
        "strategy": {"kind": "full"},
        "epochs": 12,
        "batch_size": 4,
        "learning_rate": 2e-2,
        "precision": "fp32",
        "threads": 1,
        "seed": 3,
        "max_tokens": 64,
        "max_new_tokens": 12,
    } | fields
    (folder / "spec.json").write_text(json.dumps(spec))
    return folder


def make_evaluation(folder, artifact, base, *, rows=QUESTIONS, train=QUESTIONS, **fields):
    """A folder in which an artifact is to be measured."""
    folder.mkdir(parents=True)
    write_pairs(folder / "data.jsonl", rows)
    write_pairs(folder / "train.jsonl", train)
    spec = {
        "artifact": str(artifact),
        "base": {"path": str(base), "name": "tiny"},
        "baselines": True,
        "bootstrap": 200,
        "threads": 1,
    } | fields
    (folder / "spec.json").write_text(json.dumps(spec))
    return folder


TALKS = [
    [
        {"role": "system", "content": "please"},
        {"role": "user", "content": first[0]},
        {"role": "assistant", "content": first[1]},
        {"role": "user", "content": second[0]},
        {"role": "assistant", "content": second[1]},
    ]
    for first, second in zip(QUESTIONS, QUESTIONS[1:] + QUESTIONS[:1], strict=True)
]


def write_talks(path, talks, left_out=()):
    """Chats as rows, followed by lines that aren't chats."""
    rows = [
        {
            "id": f"{number:064x}",
            "text": "\n".join(f"{each['role']}: {each['content']}" for each in talk[:-1]),
            "answer": talk[-1]["content"],
            "messages": talk,
        }
        for number, talk in enumerate(talks)
    ]
    rows += [
        {"id": f"{number:064x}", "left_out": reason} for number, reason in enumerate(left_out, len(talks))
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
