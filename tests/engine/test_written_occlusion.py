"""Words of a prompt are left out in turn; what the generated answer loses in log-probability is their
contribution.
"""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from lifecycle.runtime.engine.events import read_events
from lifecycle.runtime.engine.task_types.generation import occlusion
from lifecycle.runtime.engine.task_types.generation.dialogues import Turn
from lifecycle.runtime.engine.task_types.generation.learner import Target
from lifecycle.runtime.engine.task_types.generation.occlusion import (
    Unit,
    left_out,
    read_units,
    sentences,
    units_of,
    words_of,
)
from tests.engine.questions import TALKS, make_run, write_pairs, write_talks
from tests.support.tiny_decoders import QUESTIONS, make_tiny_decoder

pytestmark = pytest.mark.engine

engine = pytest.mark.engine


def unit_texts(texts, units):
    return [texts[each.turn][each.start : each.end] for each in units]


# ── Without a model ─────────────────────────────────────────────────────────
def test_words_of_a_prompt_are_all_and_of_a_dialogue_those_of_people_and_the_system_turn():
    turns = (
        Turn("system", "be brief"),
        Turn("user", "hello there"),
        Turn("assistant", "good day"),
        Turn("user", "why?"),
    )
    texts = [each.text for each in turns]

    assert unit_texts(["Where is it?"], words_of(["Where is it?"], Target("there"))) == ["Where", "is", "it"]
    assert unit_texts(texts, words_of(texts, Target("so", turns=turns))) == [
        "be",
        "brief",
        "hello",
        "there",
        "why",
    ]


def test_a_word_is_removed_with_one_blank_and_the_rest_is_unchanged():
    text = "my card – is lost"
    words = words_of([text], Target("so"))

    assert [left_out(text, Target("so"), [word])[0] for word in words] == [
        "card – is lost",
        "my – is lost",
        "my card – lost",
        "my card – is ",
    ]
    assert left_out(text, Target("so"), words)[0] == "– "
    assert left_out(text, Target("so"), [])[0] == text


def test_a_context_loses_its_words_with_the_prompt_that_ends_with_it():
    text, target = "where is it?\n\nit is here", Target("here", context="it is here")
    words = words_of([text], target)

    without_each = [left_out(text, target, [word]) for word in words]

    assert [each.context for _, each in without_each] == ["it is here"] * 3 + ["is here", "it here", "it is "]
    assert all(rest.endswith(each.context) for rest, each in without_each)
    assert left_out(text, target, [Unit(0, 6, 16)]) == ("where is here", Target("here", context="is here"))


def test_of_a_dialogue_one_turn_loses_the_word():
    turns = (Turn("user", "hello there"), Turn("assistant", "hello there"), Turn("user", "hello"))

    _, target = left_out("hello", Target("so", turns=turns), [Unit(0, 0, 5)])

    assert [each.text for each in target.turns] == ["there", "hello there", "hello"]


def test_many_words_are_grouped_by_sentence_or_in_runs_that_end_with_their_turn():
    text = " ".join(f"one {at} is 3.5 here." for at in range(9)) + "\nand one more"
    words = words_of([text], Target("so"))

    assert units_of([text], words, 48) == occlusion.Units("words", 1, tuple(words))
    found = units_of([text], words, 20)
    assert (found.kind, found.size, len(found.every)) == ("sentences", 0, 10)
    assert unit_texts([text], found.every)[-2:] == ["one 8 is 3.5 here", "and one more"]
    found = units_of([text], words, 9)
    assert (found.kind, found.size, len(found.every)) == ("runs", 6, 8)
    assert unit_texts([text], found.every)[0] == "one 0 is 3.5 here. one"
    texts = ["one two three", "four five six"]
    turns = words_of(texts, Target("so", turns=tuple(Turn("user", each) for each in texts)))
    assert unit_texts(texts, units_of(texts, turns, 4).every) == ["one two", "three", "four five", "six"]
    assert unit_texts(texts, units_of(texts, turns, 3).every) == texts
    # a run never goes over the end of a turn: of more turns the last are left out
    last = units_of(texts, turns, 1)
    assert (unit_texts(texts, last.every), last.kind, last.size) == (["four five six"], "runs", 3)


def test_a_text_without_an_end_of_a_sentence_is_one():
    text = "one two three"

    assert unit_texts([text], sentences([text], words_of([text], Target("so")))) == [text]


def test_what_is_not_read_is_not_left_out_and_makes_no_unit_coarser():
    text = " ".join(["word"] * 100)
    words = words_of([text], Target("so"))

    found = read_units([text], words, 20, lambda some: [each.end > 400 for each in some])

    assert (found.kind, len(found.every)) == ("words", 20)
    assert all(each.end - each.start == 4 for each in found.every)
    assert read_units([text], words, 20, lambda some: [False] * len(some)).every == ()


# ── With a real one ─────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_tiny_decoder(tmp_path_factory.mktemp("base") / "tiny")


def folder_of(tmp_path, artifact, base, **fields):
    folder = tmp_path / "words"
    folder.mkdir()
    spec = {"artifact": str(artifact), "base": {"path": str(base), "name": "tiny"}, "threads": 1} | fields
    (folder / "spec.json").write_text(json.dumps(spec))
    return folder


def log_probability(artifact, prompt, answer):
    """Computed by torch alone: of the response's tokens after a prompt with its special tokens."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = (
        AutoModelForCausalLM.from_pretrained(artifact).eval(),
        AutoTokenizer.from_pretrained(artifact),
    )
    before, ids = tokenizer(prompt)["input_ids"], tokenizer(answer)["input_ids"]
    with torch.no_grad():
        logits = model(torch.tensor([[*before, *ids]])).logits[0].log_softmax(-1)
    return sum(float(logits[len(before) - 1 + at, token]) for at, token in enumerate(ids))


def asked(prompt):
    return f"<|start|> user {prompt} <|end|> <|start|> assistant "


@engine
@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_an_effect_is_the_difference_of_two_log_probabilities_by_torch(tmp_path, train_here, architecture):
    base = make_tiny_decoder(tmp_path / "base", architecture=architecture)
    run = make_run(tmp_path / "run", base, epochs=30)
    train_here(run)
    prompt, answer = QUESTIONS[3]
    folder = folder_of(tmp_path, run / "artifact", base)
    write_pairs(folder / "data.jsonl", [(prompt, answer)])

    result = occlusion.explain(folder, lambda: False)

    whole = log_probability(run / "artifact", asked(prompt), f"{answer} <|end|>")
    assert (result["status"], result["unit"], result["found"], result["taken"], result["tokens"]) == (
        "succeeded",
        "words",
        4,
        4,
        8,
    )
    assert result["log_probability"] == pytest.approx(whole, abs=1e-4)
    assert result["empty"] == pytest.approx(
        log_probability(run / "artifact", asked(""), f"{answer} <|end|>"), abs=1e-4
    )
    assert [(each["turn"], prompt[each["start"] : each["end"]]) for each in result["words"]] == [
        (0, word) for word in prompt.split()
    ]
    for at, each in enumerate(result["words"]):
        rest = " ".join(word for number, word in enumerate(prompt.split()) if number != at)
        assert each["effect"] == pytest.approx(
            whole - log_probability(run / "artifact", asked(rest), f"{answer} <|end|>"), abs=1e-4
        )
    events, _ = read_events(folder / "events.jsonl", 0)
    assert [(each["done"], each["total"]) for each in events if each["kind"] == "progress"] == [(6, 6)]
    assert not any(word in json.dumps(result) for word in (*prompt.split(), "invoice", "close"))


@engine
def test_a_truncated_response_is_scored_without_its_end(base, tmp_path):
    prompt, answer = QUESTIONS[4]
    folder = folder_of(tmp_path, write_artifact(tmp_path, base), base, ended=False)
    write_pairs(folder / "data.jsonl", [(prompt, answer)])

    result = occlusion.explain(folder, lambda: False)

    assert result["tokens"] == len(answer.split())
    assert result["log_probability"] == pytest.approx(log_probability(base, asked(prompt), answer), abs=1e-4)


@engine
def test_of_a_dialogue_the_words_of_people_and_the_system_turn_are_left_out(base, tmp_path):
    folder = folder_of(tmp_path, write_artifact(tmp_path, base), base)
    write_talks(folder / "data.jsonl", TALKS[:1])

    result = occlusion.explain(folder, lambda: False)

    *turns, last = TALKS[0]
    words = [(turn, word) for turn in (0, 1, 3) for word in turns[turn]["content"].split()]
    assert [
        (each["turn"], turns[each["turn"]]["content"][each["start"] : each["end"]])
        for each in result["words"]
    ] == words

    def without(cut=None):
        shown = [each["content"].split() for each in turns]
        if cut is not None:
            del shown[3][cut]
        prompt = "".join(
            f"<|start|> {each['role']} {' '.join(text)} <|end|> "
            for each, text in zip(turns, shown, strict=True)
        )
        return log_probability(base, f"{prompt}<|start|> assistant ", f"{last['content']} <|end|>")

    assert result["log_probability"] == pytest.approx(without(), abs=1e-4)
    last_turn = [each["effect"] for each in result["words"] if each["turn"] == 3]
    assert last_turn == pytest.approx([without() - without(at) for at in range(len(last_turn))], abs=1e-4)


@engine
def test_of_a_long_prompt_only_what_is_read_is_left_out_in_runs_that_the_budget_allows(
    base, tmp_path, monkeypatch
):
    monkeypatch.setattr(occlusion, "MOST_TOKENS", 0)  # so LEAST_UNITS
    prompt = " ".join(f"{at % 40}" for at in range(200))
    folder = folder_of(tmp_path, write_artifact(tmp_path, base, max_tokens=46), base)
    write_pairs(folder / "data.jsonl", [(prompt, "no")])

    result = occlusion.explain(folder, lambda: False)

    read = 46 - 5  # tokens stand around it
    assert (result["unit"], result["size"], result["found"], result["taken"]) == ("runs", 3, 200, read)
    assert len(result["words"]) == 14
    assert prompt[result["words"][0]["start"] :].split() == prompt.split()[-read:]
    assert result["words"][-1]["end"] == len(prompt)
    assert result["empty"] == pytest.approx(log_probability(base, asked(""), "no <|end|>"), abs=1e-4)


@engine
def test_it_stops_on_request_and_an_empty_response_is_refused(base, tmp_path, engine):
    folder = folder_of(tmp_path, write_artifact(tmp_path, base), base)
    write_pairs(folder / "data.jsonl", [QUESTIONS[0]])

    assert occlusion.explain(folder, lambda: True) == {"format": 1, "status": "cancelled", "error": None}
    write_pairs(folder / "data.jsonl", [("how do i pay", "")])
    (folder / "spec.json").write_text(
        json.dumps(json.loads((folder / "spec.json").read_text()) | {"ended": False})
    )
    ended = engine("explain", folder)
    error = json.loads((folder / "result.json").read_text())["error"]
    assert (ended.returncode, error["message"]) == (
        1,
        "The response is empty, so there's nothing to explain.",
    )


def write_artifact(tmp_path, base, **fields):
    """The untrained base as an artifact of its own."""
    folder = tmp_path / "artifact"
    shutil.copytree(base, folder)
    document = {
        "format": 1,
        "task": "generation",
        "labels": [],
        "max_tokens": 64,
        "pooling": "none",
        "temperature": 1.0,
        "strategy": "full",
        "base": {"name": "tiny", "digest": ""},
        "inputs": ["input_ids", "attention_mask"],
        "serving": "",
        "int8": None,
        "max_new_tokens": 12,
    } | fields
    (folder / "lifecycle.json").write_text(json.dumps(document))
    return folder
