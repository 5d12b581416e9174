"""SmolLM2-135M-Instruct learns chats in its own chat template, where its package is installed.

It trains for minutes: `REAL_RUNS=1 pytest tests/engine/test_dialogues_real.py -s` prints what is reached.
"""

from __future__ import annotations

import json
import os

import pytest

from lifecycle.runtime.engine.base import SMOLLM2, bundled_smollm2
from lifecycle.runtime.engine.strategies import load_tokenizer
from lifecycle.runtime.engine.task_types.generation import dialogues
from lifecycle.runtime.engine.task_types.generation.prompts import find_frame
from lifecycle.runtime.task_types.generation import predictions as text_answers
from tests.engine.questions import write_talks

pytestmark = pytest.mark.engine
SHOP = {"role": "system", "content": "You answer for a bookshop. Prices are in crowns."}
PRICES = {
    "atlas": 40,
    "novel": 12,
    "diary": 9,
    "almanac": 21,
    "songbook": 17,
    "cookbook": 33,
    "primer": 8,
    "lexicon": 55,
}


def talk(first, second):
    """Two prices, asked one after the other, the second without naming what is asked."""
    return [
        SHOP,
        {"role": "user", "content": f"What does the {first} cost?"},
        {"role": "assistant", "content": f"The {first} costs {PRICES[first]} crowns."},
        {"role": "user", "content": f"And the {second}?"},
        {"role": "assistant", "content": f"The {second} costs {PRICES[second]} crowns."},
    ]


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory):
    if not os.environ.get("REAL_RUNS"):
        pytest.skip("It trains for minutes: set REAL_RUNS=1.")
    source = bundled_smollm2()
    if source is None:
        pytest.skip(f"The package with {SMOLLM2} is not installed: make generation.")
    from lifecycle.runtime.engine import program

    folder = tmp_path_factory.mktemp("smollm2")
    (folder / "spec.json").write_text(json.dumps({"source": str(source)}))
    program._carry_out("unpack", folder, lambda: False)
    return folder / "model"


def test_the_ids_are_those_that_its_template_gives(smollm2):
    tokenizer = load_tokenizer(smollm2)
    dialogue = [dialogues.Turn(each["role"], each["content"]) for each in talk("atlas", "novel")]

    for turns in (dialogue, dialogue[1:]):  # without a system turn the template adds its own
        example = dialogues.encode(
            dialogues.Template(tokenizer, find_frame(tokenizer)), turns[:-1], turns[-1].text, 512
        )
        messages = [{"role": each.role, "content": each.text} for each in turns]
        whole = tokenizer.apply_chat_template(messages, tokenize=False)
        asked = tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True)
        assert list(example.ids[: example.prompt]) == tokenizer(asked, add_special_tokens=False)["input_ids"]
        assert list(example.ids) == tokenizer(whole.rstrip("\n"), add_special_tokens=False)["input_ids"]
        assert (example.unasked, example.changed) == (0, False)
        counted = tokenizer.decode([label for label in example.labels if label >= 0])
        assert counted == "The atlas costs 40 crowns.<|im_end|>The novel costs 12 crowns.<|im_end|>"


def test_it_learns_the_answer_to_a_later_question(smollm2, tmp_path, train_here):
    names = list(PRICES)
    pairs = [
        (first, second)
        for at, first in enumerate(names)
        for second in (names[at - 1], names[at - 3], names[at - 5])
    ]
    train, held_out = pairs[:20], [(names[at], names[at - 2]) for at in range(8)]
    run, evaluation = tmp_path / "run", tmp_path / "evaluation"
    run.mkdir()
    evaluation.mkdir()
    write_talks(run / "train.jsonl", [talk(*pair) for pair in train])
    write_talks(run / "validation.jsonl", [talk(*pair) for pair in held_out[:4]])
    base = {"path": str(smollm2), "name": SMOLLM2}
    spec = {
        "base": base,
        "labels": [],
        "task": "generation",
        "strategy": {"kind": "lora", "rank": 16, "alpha": 32.0},
        "epochs": 6,
        "batch_size": 4,
        "learning_rate": 2e-3,
        "seed": 1,
        "max_tokens": 256,
        "max_new_tokens": 24,
    }
    (run / "spec.json").write_text(json.dumps(spec))
    result = train_here(run)
    assert result["status"] == "succeeded", result
    write_talks(evaluation / "data.jsonl", [talk(*pair) for pair in held_out])
    write_talks(evaluation / "train.jsonl", [talk(*pair) for pair in train])
    asked = {"artifact": str(run / "artifact"), "base": base, "baselines": True, "bootstrap": 200}
    (evaluation / "spec.json").write_text(json.dumps(asked))

    report = train_here(evaluation, verb="evaluate")

    kept = text_answers.ENTRY.read(evaluation / "predictions.parquet")
    print(
        {name: report[name] for name in ("perplexity", "exact_match", "rouge_l")},
        *zip(kept.answers, kept.base_answers, strict=True),
    )
    assert report["rouge_l"] > report["baselines"]["prompted_base"]["rouge_l"]
    assert report["perplexity"] < report["baselines"]["prompted_base"]["perplexity"]
