"""The code on the card of a version whose predictions no server gives: it gives what was measured."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import re
from ast import literal_eval
from pathlib import Path

import numpy as np
import pytest

from registry.catalog import card
from tests.engine.questions import make_evaluation, make_run
from tests.support.spans import TEXTS, spans_in
from tests.support.tiny_decoders import make_tiny_decoder
from tests.support.tiny_models import WORDS, make_tiny_base

pytestmark = pytest.mark.engine
RATES = {
    "batch_size": 4,
    "learning_rate": 5e-3,
    "head_learning_rate": 5e-2,
    "precision": "fp32",
    "threads": 1,
}


def code_of(task: str, strategy: str = "full") -> str:
    """The program on the card of a version."""
    return re.search(
        r"```python\n(.*)```", card.loading({"spec": {"task": task}, "strategy": strategy}), re.DOTALL
    )[1]


def output(code: str) -> str:
    """What it prints."""
    stdout = io.StringIO()
    with contextlib.redirect_stdout(stdout):
        exec(code, {})
    return stdout.getvalue().strip()


def trained(folder: Path, base: Path, rows, **spec) -> Path:
    """A folder that the engine trained in on these rows, which are those of validation too."""
    from lifecycle.runtime.engine import program

    folder.mkdir()
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    (folder / "spec.json").write_text(
        json.dumps({"base": {"path": str(base), "name": "tiny"}, "strategy": {"kind": "full"}} | RATES | spec)
    )
    program._carry_out("train", folder, lambda: False)
    (folder / "model").symlink_to(folder / "artifact")
    return folder


def test_spans_are_those_that_a_server_would_give(tmp_path, monkeypatch):
    from lifecycle.runtime.engine.artifact import ArtifactInfo
    from lifecycle.runtime.engine.predictor import Predictor
    from lifecycle.runtime.task_types.by_key.decoding import decoding_of
    from lifecycle.runtime.task_types.spans.tagging import Unit

    rows = [{"id": f"{at:064x}", "text": text, "spans": spans_in(text)} for at, text in enumerate(TEXTS)]
    pieces = {
        piece: None for word in WORDS for piece in ((word[:2], f"##{word[2:]}") if word[2:] else (word,))
    }
    base = make_tiny_base(tmp_path / "base", words=list(pieces))
    folder = trained(tmp_path / "run", base, rows, task="spans", labels=["thing", "wish"], epochs=14)
    keep_white_space(folder / "artifact" / "tokenizer.json")
    monkeypatch.chdir(folder)
    code = code_of("spans")
    texts = (
        *TEXTS,
        "where is  my   card ",
        " money  back",
        "my-card",
        "(my) card,",
        "my ca\u00adrd",
        "",
        "   ",
    )
    answered = {}
    for unit in Unit:  # of the same weights; they learned units between spaces
        description = folder / "artifact" / "lifecycle.json"
        about = json.loads(description.read_text()) | {"unit": unit, "format": 3}
        if unit is Unit.PIECE:
            about = {name: value for name, value in about.items() if name != "unit"} | {"format": 1}
        description.write_text(json.dumps(about))
        predictor = Predictor(
            folder / "artifact", graph=folder / "artifact" / ArtifactInfo.read(folder / "artifact").serving
        )
        answers = decoding_of("spans").predictions(predictor.probabilities(texts), predictor.info)
        found = [
            [[each["start"], each["end"], each["label"]] for each in answer["spans"]] for answer in answers
        ]

        assert [
            literal_eval(output(code.replace('"Where is my card?"', repr(text)))) for text in texts
        ] == found
        answered[unit] = found
    assert answered[Unit.SPACED][0] == [[3, 7, "thing"]]
    assert answered[Unit.SPACED][-2:] == [[], []]
    assert answered[Unit.PIECE][0] != answered[Unit.SPACED][0]


def keep_white_space(path):
    """Let the tokenizer give each word the white space before it, as those of RoBERTa and Llama do."""
    about = json.loads(path.read_text())
    about["pre_tokenizer"] = {
        "type": "Split",
        "pattern": {"Regex": " ?[^ ]+| +"},
        "behavior": "Isolated",
        "invert": False,
    }
    about["model"]["vocab"] |= {
        f" {word}": at for word, at in about["model"]["vocab"].items() if not word.startswith("[")
    }
    path.write_text(json.dumps(about))


def test_responses_have_the_strengths_that_were_measured(tmp_path, monkeypatch):
    from lifecycle.runtime.engine.predictor import Predictor
    from lifecycle.runtime.task_types.by_key.decoding import decoding_of
    from lifecycle.runtime.task_types.ranking.measures import Ranked
    from lifecycle.runtime.task_types.rows import Rows

    rows = [
        {
            "id": f"{at:064x}",
            "text": f"where is my {thing}",
            "responses": [f"{thing} late", "thanks"],
            "ranks": [at % 2, 1 - at % 2],
        }
        for at, thing in enumerate(("card", "refund", "order", "money") * 2)
    ]
    folder = trained(
        tmp_path / "run", make_tiny_base(tmp_path / "base"), rows, task="preference", labels=[], epochs=2
    )
    monkeypatch.chdir(folder)
    asked = Rows(
        ("a",),
        ("Where is my card?",),
        (Ranked.of(("It was sent on Monday and takes five days.", "No idea."), (0, 1)),),
    )
    predictor = Predictor(folder / "artifact")
    strengths = decoding_of("preference").decode(predictor.logits(asked), predictor.info.temperature)[0]

    order, chance = output(code_of("preference")).splitlines()

    assert order == str([asked.targets[0].responses[at] for at in np.argsort(strengths)[::-1]])
    assert float(chance.replace("np.float64(", "").rstrip(")")) == pytest.approx(
        1 / (1 + np.exp(strengths[1] - strengths[0])), abs=1e-6
    )


@pytest.mark.parametrize("strategy", ["full", "prefix"])
def test_a_text_is_the_one_that_was_measured(strategy, tmp_path, monkeypatch):
    from lifecycle.runtime.engine import program
    from lifecycle.runtime.engine.strategies import load_tokenizer
    from lifecycle.runtime.task_types.generation import predictions as text_answers

    base = make_tiny_decoder(tmp_path / "base")
    run = make_run(tmp_path / "run", base, epochs=15, strategy={"kind": strategy, "virtual_tokens": 4})
    program._carry_out("train", run, lambda: False)

    def measure(name):
        rows, artifact = [("Where is my card?", "yes")], run / "artifact"
        asked = make_evaluation(tmp_path / name, artifact, base, rows=rows, baselines=False)
        program._carry_out("evaluate", asked, lambda: False)
        assert json.loads((asked / "result.json").read_text())["status"] == "succeeded"
        return text_answers.ENTRY.read(asked / "predictions.parquet").answers[0]

    (tmp_path / "model").symlink_to(run / "artifact")
    monkeypatch.chdir(tmp_path)
    code = code_of("generation", strategy)

    measured = measure("asked")
    assert output(code) == measured
    # an end that the tokenizer does not name
    ending = load_tokenizer(base).convert_tokens_to_ids(measured.split()[-1])
    settings = (run / "artifact" if strategy == "full" else base) / "generation_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"eos_token_id": [3, ending]}))
    assert (
        output(code)
        == measure("again")
        == " ".join(itertools.takewhile(lambda word: word != measured.split()[-1], measured.split()))
    )


@pytest.mark.parametrize("tokens", [5, 150])
def test_a_text_ends_where_that_of_the_version_does(tokens, tmp_path, monkeypatch):
    made = make_tiny_decoder(tmp_path / "model", chat=False)
    settings = made / "generation_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"eos_token_id": [-1]}))
    (made / "lifecycle.json").write_text(json.dumps({"max_new_tokens": tokens}))
    monkeypatch.chdir(tmp_path)

    names = {}
    exec(code_of("generation"), names)

    assert names["ids"].shape[1] - names["inputs"]["input_ids"].shape[1] == tokens
