"""Launching a run on a snapshot of prompts and completions."""

from __future__ import annotations

import json

import pytest

from datasets_app.snapshots import queries as snapshots
from lifecycle.jobs.models import Job
from lifecycle.refusals import Refused
from lifecycle.training import actions
from lifecycle.training.models import Run, Sweep
from registry.ledger.models import Event
from tests.support.training import make_base, make_snapshot
from tests.support.written import make_decoder, written_snapshot


@pytest.fixture
def snapshot(project, mia):
    return written_snapshot(project, mia)


@pytest.fixture
def base(snapshot, project, mia):
    return make_decoder(project, mia)


@pytest.fixture
def classes(project, mia):
    """A snapshot of classes, and an encoder."""
    return {"snapshot": make_snapshot(project, mia), "base": make_base(project, mia)}


def nothing_was_queued():
    return not Run.objects.exists() and not Job.objects.filter(kind="training.train").exists()


def test_the_spec_says_the_task_and_the_rows_carry_answers_and_contexts(snapshot, base, mia, tmp_path):
    run = actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia)

    assert (run.spec["task"], run.spec["labels"], run.spec["max_new_tokens"]) == ("generation", [], 32)
    assert run.task_type.writes_text
    count = snapshots.write_split(snapshot, "train", tmp_path / "train.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert count == len(rows) == snapshot.counts["splits"]["train"]
    assert {frozenset(row) for row in rows} == {
        frozenset({"id", "cluster", "text", "answer"}),
        frozenset({"id", "cluster", "text", "answer", "context"}),
    }
    with_context = next(row for row in rows if "context" in row)
    assert with_context["context"] == f"please {with_context['answer']}"
    assert with_context["text"].endswith(f"\n\n{with_context['context']}")


def test_an_encoder_is_refused_naming_the_field(snapshot, project, mia):
    encoder = make_base(project, mia)

    with pytest.raises(Refused, match="tiny-base is an encoder, which can't generate text") as refused:
        actions.launch(snapshot=snapshot, base=encoder, strategy="lora", actor=mia)

    assert set(refused.value.fields) == {"base"}
    assert nothing_was_queued()
    assert not Event.objects.filter(verb="training.launched").exists()


@pytest.mark.parametrize(
    ("strategy", "sentence"),
    [
        ("head", "Head only is only available for classification"),
        ("fast_lora", "Fast LoRA is only available for encoders"),
        ("adapter", "Bottleneck adapters are only available for encoders"),
    ],
)
def test_a_strategy_of_classes_is_refused(strategy, sentence, snapshot, base, mia):
    with pytest.raises(Refused, match=sentence) as refused:
        actions.launch(snapshot=snapshot, base=base, strategy=strategy, actor=mia)

    assert set(refused.value.fields) == {"strategy"}
    assert nothing_was_queued()


@pytest.mark.parametrize("strategy", ["prompt", "p_tuning", "prefix"])
def test_a_strategy_of_decoders_is_refused_for_classes(strategy, classes, mia):
    with pytest.raises(Refused, match="is only available for generation. Choose LoRA.") as refused:
        actions.launch(**classes, strategy=strategy, actor=mia)

    assert set(refused.value.fields) == {"strategy"}
    assert nothing_was_queued()


@pytest.mark.parametrize(
    ("options", "field", "sentence"),
    [
        ({"label_smoothing": 0.1}, "label_smoothing", "applies to labels only; keep the default where"),
        ({"class_weights": True}, "class_weights", "applies to labels only; keep the default where"),
        ({"pooling": "cls"}, "pooling", "applies to labels only; keep the default where"),
        ({"max_new_tokens": 0}, "max_new_tokens", "must be from 1 to 2048"),
        ({"virtual_tokens": 8}, "virtual_tokens", "isn't a setting of LoRA"),
        ({"max_tokens": 500}, "max_tokens", "accepts up to 128 tokens"),
    ],
)
def test_a_setting_that_has_no_meaning_is_refused_by_its_name(options, field, sentence, snapshot, base, mia):
    with pytest.raises(Refused, match=sentence) as refused:
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia, options=options)

    assert set(refused.value.fields) == {field}
    assert nothing_was_queued()


def test_a_sweep_is_refused_since_it_compares_by_an_f1(snapshot, base, mia):
    with pytest.raises(Refused, match="Sweeps rank trials by F1"):
        actions.start_sweep(snapshot=snapshot, base=base, strategy="lora", actor=mia, trials=2, space={"rank": {"choices": [4, 8]}})

    assert not Sweep.objects.exists()


def test_the_form_offers_decoders_and_what_they_learn_by(snapshot, base, project, mia, client_for):
    make_base(project, mia)

    page = client_for(mia).get(f"/runs/launch/?snapshot={snapshot.uuid}").content.decode()

    assert "validation, generation" in page
    assert "tiny-decoder" in page
    assert "tiny-base" not in page
    for label in ("LoRA", "Full fine-tuning", "IA3", "Prompt tuning", "P-tuning", "Prefix tuning"):
        assert f"<span>{label}</span>" in page
    for label in ("Head only", "Fast LoRA", "Bottleneck adapters"):
        assert f"<span>{label}</span>" not in page
    assert "Max response length (tokens)" in page
    assert "Class weights" not in page
    assert "Learning rate (encoder)" not in page
    assert "Search for settings instead" not in page


def test_the_form_of_prompt_tuning_asks_for_virtual_tokens(snapshot, base, mia, client_for):
    page = client_for(mia).get(f"/runs/launch/?snapshot={snapshot.uuid}&strategy=prompt").content.decode()

    assert "Virtual tokens" in page
    assert "LoRA rank" not in page


def test_without_a_decoder_the_form_says_how_to_get_one(snapshot, project, mia, client_for):
    make_base(project, mia)

    page = client_for(mia).get(f"/runs/launch/?snapshot={snapshot.uuid}").content.decode()

    assert "No decoder available" in page


def test_the_api_launches_it(snapshot, base, mia, client_for):
    sent = {"snapshot": str(snapshot.uuid), "base": str(base.uuid), "strategy": "prefix", "options": {"virtual_tokens": 4}}

    answer = client_for(mia).post("/api/v1/runs/", sent, content_type="application/json")

    assert answer.status_code == 201, answer.content
    assert answer.json()["spec"]["strategy"]["virtual_tokens"] == 4
