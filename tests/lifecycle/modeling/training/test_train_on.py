"""Continuing from a run's model: as a base, with rehearsal rows, and with rows that measure forgetting."""

from __future__ import annotations

import json
import math
import re
import tempfile
from importlib import import_module
from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied
from django.utils.html import escape

from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.manifest import ManifestRow
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.training import actions, earlier, estimate_task, folders, forgetting_page, suggesting
from lifecycle.modeling.training.models import BaseModel, Run
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.ui.numbers import GAP
from registry.ground.access.roles import Role
from registry.ground.ledger.models import Event
from tests.support.datasets import import_texts
from tests.support.estimates import succeeded
from tests.support.jobs import run_jobs, run_ok
from tests.support.people import make_person
from tests.support.snapshots import freeze
from tests.support.training import TEXTS, labeled_dataset, make_run, write_base
from tests.support.unchanged import refused

# the package has a function with this name
launching = import_module("lifecycle.modeling.training.actions.launch")
SHARES = {"train": 60, "validation": 20, "test": 20}
OTHERS = {
    "card": ["a new card please", "my card again"],
    "login": ["the code of my login", "login help"],
    "travel": ["a card for the journey", "money abroad", "where is a machine abroad", "pay abroad please"],
}


@pytest.fixture
def first(finished) -> Run:
    """A succeeded run on cards, refunds, and logins."""
    return finished


@pytest.fixture
def second(first, project, mia):
    """A version of another dataset, without refunds and with travel."""
    return freeze(labeled_dataset(project, mia, texts=OTHERS, name="second", copies=6), mia, shares=SHARES)


@pytest.fixture
def ready(first, second, mia) -> BaseModel:
    """The first run's model as an imported base."""
    with tempfile.TemporaryDirectory() as folder:
        return actions.keep_base(
            actions.add_run_base(run=first, actor=mia), write_base(Path(folder) / "merged")
        )


@pytest.fixture
def of_adapters(base, snapshot, mia) -> Run:
    """A run with adapters outside its base's weights."""
    return make_run(snapshot, mia, base=base, strategy="adapter", splits=())


@pytest.fixture
def continued(ready, second, mia) -> Run:
    """A run from the first run's model, with measured forgetting."""
    run = make_run(second, mia, base=ready, splits=())
    run.result = run.result | {"forgetting": REPORT, "rehearsed": 7}
    run.save()
    return run


def ids(path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


def in_split(snapshot, split, labels) -> list[str]:
    return [row.item for row in snapshots.rows_of(snapshot, split) if row.label in labels]


# ── As a base ───────────────────────────────────────────────────────────────
def test_a_model_becomes_one_base_by_one_job_and_one_event(first, mia):
    base = actions.add_run_base(run=first, actor=mia)
    again = actions.add_run_base(run=first, actor=mia)

    assert again == base
    assert (base.name, base.kind, base.run, base.folder) == ("Run 1", "run", first, None)
    assert Job.objects.filter(kind="training.keep_base", subject_uuid=base.uuid).count() == 1
    event = json.loads(
        Event.objects.get(verb="training.base_model_added", object_id=str(base.uuid)).canonical
    )["payload"]
    assert event["root_digest"] == first.artifact.root_digest


def test_a_run_that_has_not_succeeded_leaves_none(waiting, mia):
    with refused(by=Conflict, naming=("Run 1",)):
        actions.add_run_base(run=waiting, actor=mia)

    assert not BaseModel.objects.filter(kind="run").exists()


def test_adapters_outside_the_base_weights_are_refused(of_adapters, mia):
    with refused(naming=("Bottleneck adapters",)):
        actions.add_run_base(run=of_adapters, actor=mia)

    assert not BaseModel.objects.filter(kind="run").exists()


def test_making_a_base_needs_permission_to_train(first, ana):
    with pytest.raises(PermissionDenied):
        actions.add_run_base(run=first, actor=ana)

    assert not BaseModel.objects.filter(kind="run").exists()


@pytest.mark.engine
def test_an_unreadable_model_fails_with_a_message(first, mia):
    base = actions.add_run_base(run=first, actor=mia)

    (job,) = [job for job in run_jobs("default") if job.kind == "training.keep_base"]

    base.refresh_from_db()
    assert (job.state, base.folder) == ("failed", None)
    assert job.error


# ── Launch ──────────────────────────────────────────────────────────────────
def test_the_settings_begin_with_rehearsal_and_the_head(ready, second, project, mia):
    found = suggesting.suggestion(second, ready, "lora").choices

    assert (found["rehearsal"].value, found["keep_head"].value) == (0.5, True)
    assert (
        found["keep_head"].reason
        == "The head of Run 1 was trained on 2 of these 3 labels; the others start from random weights."
    )
    assert found["head_learning_rate"].value == 1e-2
    run = actions.launch(snapshot=second, base=ready, strategy="lora", actor=mia)
    assert (run.spec["rehearsal"], run.spec["keep_head"], run.spec["base"]["name"]) == (0.5, True, "Run 1")


def test_a_head_that_knows_all_classes_moves_little(ready, first):
    found = suggesting.suggestion(first.snapshot, ready, "lora").choices

    assert found["head_learning_rate"].value == 2e-3
    assert found["keep_head"].reason == "The head of Run 1 was trained on all of these labels."


def test_an_external_base_has_nothing_to_rehearse(first, second, mia):
    outside = first.base
    assert not {"rehearsal", "keep_head"} & suggesting.suggestion(second, outside, "lora").choices.keys()

    with pytest.raises(Refused) as refused:
        actions.launch(snapshot=second, base=outside, strategy="lora", actor=mia, options={"rehearsal": 0.2})

    assert refused.value.fields == {
        "rehearsal": ["rehearsal needs a base that was trained here for the same task; tiny-base wasn't."]
    }
    assert Run.objects.count() == 1


def test_a_head_of_another_pooling_is_refused(ready, second, mia):
    with pytest.raises(Refused) as refused:
        actions.launch(snapshot=second, base=ready, strategy="lora", actor=mia, options={"pooling": "cls"})

    assert refused.value.fields == {
        "keep_head": ["The head of Run 1 uses mean pooling. Choose that pooling, or start with a new head."]
    }
    assert Run.objects.count() == 1


def test_starting_from_a_run_needs_permission_to_train_on_its_data(ready, second, project, mia, monkeypatch):
    other = make_person("otto2", project=project, role=Role.ENGINEER)
    asked = []
    monkeypatch.setattr(
        launching, "can", lambda user, action, thing: asked.append((user, action, thing)) or False
    )

    with pytest.raises(Refused) as refused:
        actions.launch(snapshot=second, base=ready, strategy="lora", actor=other)

    assert asked == [(other, "training.launch", ready.run.snapshot)]
    assert refused.value.fields == {"base": ["Run 1 was trained on data that you don't have access to."]}
    assert Run.objects.count() == 1


# ── Rows ────────────────────────────────────────────────────────────────────
def test_rehearsed_rows_are_earlier_training_rows_of_current_classes(ready, first, second, mia, tmp_path):
    run = actions.launch(snapshot=second, base=ready, strategy="lora", actor=mia, options={"rehearsal": 0.2})

    folders.prepare(run, tmp_path / "run")

    known = in_split(first.snapshot, "train", {"card", "login"})
    wanted = round(second.counts["splits"]["train"] * 0.25)
    assert ids(tmp_path / "run" / "rehearsal.jsonl") == known[:wanted]
    assert 0 < wanted < len(known)
    assert ids(tmp_path / "run" / "earlier.jsonl") == in_split(first.snapshot, "test", {"card", "login"})
    assert set(ids(tmp_path / "run" / "train.jsonl")) == {
        row.item for row in snapshots.rows_of(second, "train")
    }


def test_rows_of_the_new_snapshot_are_neither_rehearsed_nor_measured(ready, first, project, mia, tmp_path):
    dataset = first.snapshot.dataset
    import_texts(dataset, [(f"a card of {at}", "card") for at in range(20)], mia)
    grown = freeze(dataset, mia, shares=SHARES)
    run = actions.launch(snapshot=grown, base=ready, strategy="lora", actor=mia)

    folders.prepare(run, tmp_path / "run")

    assert not (tmp_path / "run" / "rehearsal.jsonl").exists()  # every earlier row is in the new version
    used = {row.item for split in ("train", "validation") for row in snapshots.rows_of(grown, split)}
    assert (
        set(ids(tmp_path / "run" / "earlier.jsonl"))
        == set(in_split(first.snapshot, "test", set(TEXTS))) - used
    )


def test_ten_steps_count_the_rows_that_are_rehearsed(ready, second, mia, monkeypatch):
    monkeypatch.setattr(estimate_task, "run_child", lambda *args, **options: succeeded())
    options = {"rehearsal": 0.2, "epochs": 5, "batch_size": 4}
    tried = actions.estimate(snapshot=second, base=ready, strategy="lora", actor=mia, options=options)

    run_ok("training")

    tried.refresh_from_db()
    train = second.counts["splits"]["train"]
    assert tried.figures["steps"] == 5 * math.ceil((train + round(train / 4)) / 4)


@pytest.mark.postgres
def test_nothing_is_laid_out_for_an_external_base(first, tmp_path):
    folders.prepare(first, tmp_path / "run")

    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "base",
        "spec.json",
        "train.jsonl",
        "validation.jsonl",
    }


def test_earlier_texts_are_removed_while_the_run_is_paused(ready, second, mia, tmp_path):
    run = actions.launch(snapshot=second, base=ready, strategy="lora", actor=mia)
    folders.prepare(run, tmp_path / "run")

    folders.drop_texts(tmp_path / "run")

    assert not list((tmp_path / "run").glob("*.jsonl"))


def test_unknown_rows_are_found_in_two_sorted_lists():
    def rows(*names):
        return [ManifestRow(*[name, *[""] * (len(ManifestRow._fields) - 1)]) for name in names]

    found = earlier.unknown(rows("a", "b", "d", "f"), rows("b", "c", "f", "g"))
    assert [each.item for each in found] == ["a", "d"]
    assert [each.item for each in earlier.unknown(rows("a", "b"), rows())] == ["a", "b"]
    assert list(earlier.unknown(rows(), rows("a"))) == []


# ── Pages and API ───────────────────────────────────────────────────────────
REPORT = {
    "rows": 40,
    "labels": 2,
    "by": "macro_f1",
    "metrics": {
        "macro_f1": {
            "baseline": 0.91,
            "candidate": 0.8,
            "difference": -0.11,
            "low": -0.2,
            "high": -0.02,
            "verdict": "worse",
        },
        "accuracy": {
            "baseline": 0.9,
            "candidate": 0.88,
            "difference": -0.02,
            "low": -0.1,
            "high": 0.05,
            "verdict": "unclear",
        },
    },
    "per_class": {
        "card": {
            "baseline": 0.9,
            "candidate": 0.95,
            "difference": 0.05,
            "low": 0.0,
            "high": 0.1,
            "verdict": "unclear",
            "support": 25,
        },
        "login": {
            "baseline": 0.92,
            "candidate": 0.65,
            "difference": -0.27,
            "low": -0.4,
            "high": -0.1,
            "verdict": "worse",
            "support": 15,
        },
    },
}


def test_the_page_shows_forgetting(continued, ready, mia, client_for):
    answer = client_for(mia).get(f"/runs/{continued.uuid}/")

    page, found = answer.content.decode(), answer.context["forgetting"]
    assert (found["worse"], found["kind"], found["base"]) == (True, "warn", "Run 1")
    assert re.search(r"Run 2\b.*Run 1\b.*0\.910.*0\.800", found["fact"])
    assert re.search(r"\b7\b.*\b2\b", found["text"])
    assert f'<div class="note warn"><strong>{found["fact"]}</strong><p>{found["text"]}</p></div>' in page
    assert page.index('<th scope="row">login</th>') < page.index('<th scope="row">card</th>')
    assert f'<a dir="auto" href="/runs/{ready.run.uuid}/">Run 1</a>' in page
    rehearsal = next(each for each in answer.context["provenance"] if each["label"] == "Rehearsal")
    assert rehearsal["text"].startswith(f"50{GAP}%")
    assert rehearsal["digest"] == ready.run.snapshot.digest


@pytest.mark.parametrize(
    ("low", "high", "interval"), [(-0.2, -0.02, "0.02 to 0.20"), (None, None, f"not{GAP}known")]
)
def test_a_difference_is_what_is_now_minus_what_was_before(continued, low, high, interval):
    """The engine's difference is positive if the run is better, also for perplexity."""
    found = {
        "baseline": 8.0,
        "candidate": 8.11,
        "difference": -0.11,
        "low": low,
        "high": high,
        "verdict": "worse",
    }
    report = {"rows": 40, "labels": 0, "by": "perplexity", "metrics": {"perplexity": found}, "per_class": {}}
    continued.result, continued.spec = (
        continued.result | {"forgetting": report},
        continued.spec | {"task": "generation"},
    )

    (line,) = forgetting_page.shown(continued)["lines"]

    assert (line["before"], line["after"], line["difference"], line["interval"]) == (
        "8.00",
        "8.11",
        "+0.11",
        interval,
    )


@pytest.mark.postgres
def test_the_api_gives_the_report_and_makes_a_base(continued, first, project, mia, client_for):
    run, client = continued, client_for(mia)

    assert client.get(f"/api/v1/runs/{run.uuid}/").json()["forgetting"] == REPORT
    assert client.get(f"/api/v1/runs/{first.uuid}/").json()["forgetting"] is None
    body = {"project": str(project.uuid), "kind": "run", "run": str(run.uuid)}
    made = client.post("/api/v1/base-models/", body, content_type="application/json")
    assert (made.status_code, made.json()["name"], made.json()["run"]) == (201, "Run 2", str(run.uuid))
    lost = client.post("/api/v1/base-models/", body | {"run": None}, content_type="application/json")
    assert (lost.status_code, lost.json()["fields"]) == (400, {"run": ["This project has no such run."]})


@pytest.mark.postgres
def test_a_run_is_started_from_a_runs_page(first, mia, client_for, tmp_path):
    client = client_for(mia)
    assert f'action="/runs/{first.uuid}/train-on/"' in client.get(f"/runs/{first.uuid}/").content.decode()

    sent = client.post(f"/runs/{first.uuid}/train-on/")

    base = BaseModel.objects.get(kind="run")
    assert sent.url == f"/runs/launch/?dataset_version={first.snapshot.uuid}&base={base.uuid}"
    waiting = client.get(sent.url)
    assert (waiting.context["waiting"]["base"], "form" in waiting.context) == (base, False)
    assert b'id="waiting"' in waiting.content
    assert b'id="settings"' not in waiting.content
    key = {
        "key": "7b0a3a4e-58f7-4c5e-8f1e-111111111111",
        "dataset_version": str(first.snapshot.uuid),
        "base": str(base.uuid),
        "strategy": "lora",
    }
    assert client.post("/runs/launch/", key).context["waiting"]["base"] == base
    assert Run.objects.count() == 1  # no other base replaces it
    actions.keep_base(base, write_base(tmp_path / "merged"))
    page = client.get(sent.url)
    assert "rehearsal" in page.context["form"].fields
    assert b'id="settings"' in page.content
    assert f'<option value="{base.uuid}" selected>Run 1' in page.content.decode()


def test_an_adapter_run_gives_the_reason_why_no_run_can_start_from_it(of_adapters, mia, client_for):
    answer = client_for(mia).get(f"/runs/{of_adapters.uuid}/")

    page, reason = answer.content.decode(), answer.context["train_on"]["refused"]
    assert of_adapters.get_strategy_display() in reason
    assert f'<h2 id="train-on">Continue training</h2><p class="muted">{escape(reason)}</p>' in page
    assert f"/runs/{of_adapters.uuid}/train-on/" not in page


def test_without_permission_to_train_it_is_not_offered(first, mia, ana, client_for):
    client = client_for(ana)

    assert 'id="train-on"' in client_for(mia).get(f"/runs/{first.uuid}/").content.decode()
    assert 'id="train-on"' not in client.get(f"/runs/{first.uuid}/").content.decode()
    assert client.post(f"/runs/{first.uuid}/train-on/").status_code == 403
    assert not BaseModel.objects.filter(kind="run").exists()
