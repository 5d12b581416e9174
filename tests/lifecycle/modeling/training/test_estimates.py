"""Ten-step dry runs: their folder, stored results, errors, and the comparison with the run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.exceptions import PermissionDenied
from django.test import Client

from datasets_app.snapshots.manifest import ManifestRow
from lifecycle.ground.compute.child import Result
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.training import actions, estimate_page, estimate_task, queries
from lifecycle.modeling.training.models import BaseModel, Estimate, Run
from lifecycle.runtime.engine.estimate import Profile
from lifecycle.runtime.engine.spec import TrainSpec
from lifecycle.runtime.refusals import Conflict, NotReady, Refused
from registry.ground.ledger.models import Event
from tests.support.estimates import MEASURED, measured, succeeded
from tests.support.jobs import run_jobs
from tests.support.sweeps import make_sweep
from tests.support.training import finish_run, make_base, multi_label_snapshot
from tests.support.unchanged import refused

HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def shown(snapshot, base, mia) -> dict[str, object]:
    """The launch form's data as a browser sends it."""
    client = Client()
    client.force_login(mia)
    form = client.get("/runs/launch/").context["form"]
    values = {name: form[name].value() for name in form.fields}
    chosen = {"dataset_version": str(snapshot.uuid), "base": str(base.uuid), "strategy": "lora"}
    return {name: value for name, value in values.items() if not (value is None or value is False)} | chosen


@pytest.fixture
def tried(snapshot, base, mia) -> Estimate:
    return actions.estimate(snapshot=snapshot, base=base, strategy="lora", actor=mia, options={"epochs": 3})


@pytest.fixture
def child(monkeypatch):
    """Replace the engine's process: child(result, look=...)."""

    def set_result(result: Result, look=lambda folder: None) -> None:
        def run_child(ctx, verb, folder, on_events, **options):
            assert verb == "profile"
            look(folder)
            return result

        monkeypatch.setattr(estimate_task, "run_child", run_child)

    return set_result


def nothing_happened() -> bool:
    return not Estimate.objects.exists() and not Job.objects.filter(kind="training.estimate").exists()


# ── Starting ────────────────────────────────────────────────────────────────
def test_trying_writes_a_spec_a_job_and_an_event_and_starts_no_run(tried, snapshot, base, mia):
    assert (tried.spec["epochs"], tried.strategy, tried.asked_by) == (3, "lora", mia)
    assert (tried.job.kind, tried.job.queue, tried.job.args) == (
        "training.estimate",
        "training",
        {"estimate": str(tried.uuid)},
    )
    assert tried.spec_digest in Event.objects.get(verb="training.estimated").canonical
    assert not Run.objects.exists()


def test_the_same_spec_is_reused_while_queued_and_new_after_it_ended(tried, snapshot, base, mia):
    again = actions.estimate(snapshot=snapshot, base=base, strategy="lora", actor=mia, options={"epochs": 3})
    measured(tried)
    later = actions.estimate(snapshot=snapshot, base=base, strategy="lora", actor=mia, options={"epochs": 3})

    assert again == tried
    assert later != tried


@pytest.mark.parametrize("person", ["ana", "gita", "otto"])
def test_only_engineers_and_leads_can_estimate(request, snapshot, base, person):
    with pytest.raises(PermissionDenied):
        actions.estimate(snapshot=snapshot, base=base, strategy="lora", actor=request.getfixturevalue(person))

    assert nothing_happened()


def test_what_a_launch_refuses_is_refused(snapshot, base, mia, project):
    with pytest.raises(Refused) as wrong:
        actions.estimate(snapshot=snapshot, base=base, strategy="lora", actor=mia, options={"epochs": 0})
    empty = BaseModel.objects.create(project=project, name="later", kind="folder", source="/models/later")
    with pytest.raises(NotReady):
        actions.estimate(snapshot=snapshot, base=empty, strategy="lora", actor=mia)

    assert list(wrong.value.fields) == ["epochs"]
    assert nothing_happened()


# ── The job ─────────────────────────────────────────────────────────────────
def test_the_folder_is_an_ordinary_runs_of_ten_steps_and_goes_away(tried, child, snapshot):
    seen = {}

    def look(folder: Path) -> None:
        seen["spec"] = TrainSpec.read(folder / "spec.json")
        seen["rows"] = {
            name: len((folder / f"{name}.jsonl").read_text().splitlines()) for name in ("train", "validation")
        }
        seen["data"] = sorted(path.name for path in folder.glob("*.jsonl"))
        seen["base"] = (folder / "base" / "config.json").exists()

    child(succeeded(), look=look)

    (job,) = run_jobs("training")

    spec = TrainSpec.from_json(tried.spec)
    # few enough to use all
    assert seen["rows"] == {name: snapshot.counts["splits"][name] for name in ("train", "validation")}
    assert seen["data"] == ["train.jsonl", "validation.jsonl"]
    assert (seen["spec"].epochs, seen["spec"].patience, seen["base"]) == (4, 0, True)  # 3 steps an epoch
    assert (seen["spec"].batch_size, seen["spec"].learning_rate) == (spec.batch_size, spec.learning_rate)
    assert job.state == "succeeded"
    assert list((Path(django_settings.DATA_DIR) / "scratch").iterdir()) == []


@pytest.mark.postgres
def test_what_was_measured_is_kept_with_the_whole_run_scaled_from_it(tried, child, snapshot):
    child(succeeded())

    run_jobs("training")

    tried.refresh_from_db()
    assert Profile.from_json(tried.profile) == MEASURED
    # 3 epochs of 3 steps, each evaluated
    assert (tried.figures["steps"], tried.figures["evaluations"]) == (9, 3)
    assert tried.error is None
    assert tried.finished_at is not None


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("code", "next_step"),
    [
        (
            "out_of_memory",
            (
                "Choose a smaller batch size, a lower max sequence length, or a strategy with fewer trainable"
                " parameters, and try again."
            ),
        ),
        ("one_class", "Label more."),
    ],
)
def test_a_failed_dry_run_gives_the_reason_and_a_next_step(tried, child, code, next_step):
    child(Result("failed", code, "It did not work.", "Label more.", {"status": "failed"}))

    (job,) = run_jobs("training")

    tried.refresh_from_db()
    assert tried.error == {"code": code, "message": "It did not work.", "next_step": next_step}
    assert (job.state, job.error, job.next_step) == ("failed", "It did not work.", next_step)
    assert tried.figures is None


def test_waiting_steps_are_cancelled_at_once_and_not_twice(tried, mia, ana):
    with pytest.raises(PermissionDenied):
        actions.cancel_estimate(estimate_id=tried.uuid, actor=ana)
    actions.cancel_estimate(estimate_id=tried.uuid, actor=mia)

    tried.refresh_from_db()
    assert (tried.error["code"], tried.job.state) == ("cancelled", "cancelled")
    with pytest.raises(Conflict):
        actions.cancel_estimate(estimate_id=tried.uuid, actor=mia)


@pytest.mark.postgres
def test_running_steps_are_cancelled(tried, child, mia):
    child(Result("cancelled"), look=lambda folder: actions.cancel_estimate(estimate_id=tried.uuid, actor=mia))

    (job,) = run_jobs("training")

    tried.refresh_from_db()
    assert (job.state, tried.error["code"]) == ("cancelled", "cancelled")


# ── The sample ──────────────────────────────────────────────────────────────
def row(at: int, label: str) -> ManifestRow:
    return ManifestRow(f"{at:03d}", "", "", "", label, "train", "")


def test_a_sample_is_the_first_rows_with_a_second_class_replacing_the_last():
    rows = [row(at, "a") for at in range(5)] + [row(9, "b")]

    assert [each.item for each in estimate_task.sample(rows, 3, ["a", "b"], "single_label")] == [
        "000",
        "001",
        "009",
    ]
    assert [each.item for each in estimate_task.sample(rows, 9, ["a", "b"], "single_label")] == [
        "000",
        "001",
        "002",
        "003",
        "004",
        "009",
    ]


def test_a_sample_of_sets_has_each_class_and_its_absence():
    rows = [row(at, json.dumps(["a"])) for at in range(5)] + [
        row(7, json.dumps(["a", "b"])),
        row(8, "[]"),
        row(9, "[]"),
    ]

    found = estimate_task.sample(rows, 3, ["a", "b"], "multi_label")

    assert [each.item for each in found] == ["000", "007", "008"]


def test_multi_label_rows_are_laid_out(project, mia, child):
    snapshot = multi_label_snapshot(project, mia)
    actions.estimate(snapshot=snapshot, base=make_base(project, mia), strategy="head", actor=mia)
    rows = []
    child(
        succeeded(),
        look=lambda folder: rows.extend(map(json.loads, (folder / "train.jsonl").read_text().splitlines())),
    )

    run_jobs("training")

    assert {label for each in rows for label in each["labels"]} == {"card", "refund", "login"}
    assert any(not each["labels"] for each in rows)


# ── Pages and API ───────────────────────────────────────────────────────────
def test_the_launch_form_tries_ten_steps_and_leads_to_their_page(client_for, mia, shown):
    client = client_for(mia)

    answer = client.post("/runs/estimates/", shown | {"epochs": "2"})

    found = Estimate.objects.get()
    assert answer["Location"] == f"/runs/estimates/{found.uuid}/"
    assert found.spec["epochs"] == 2
    page = client.get(answer["Location"])
    assert (page.context["active"], page.context["job"].state) == (True, "queued")
    assert b'<progress id="ten-steps" aria-busy="true">' in page.content
    assert f'hx-get="/runs/estimates/{found.uuid}/" hx-trigger="every 2s"' in page.content.decode()
    assert not Run.objects.exists()


@pytest.mark.postgres
def test_a_setting_out_of_range_is_an_error_of_its_field_and_nothing_is_queued(client_for, mia, shown):
    answer = client_for(mia).post("/runs/estimates/", shown | {"epochs": "0"}, **HTMX)

    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["epochs"]
    assert b'href="#id_epochs"' in answer.content
    assert b'formaction="/runs/estimates/"' in answer.content
    assert nothing_happened()


def test_the_form_starts_with_the_seed_of_the_copied_settings(client_for, mia, snapshot, base):
    tried = actions.estimate(snapshot=snapshot, base=base, strategy="lora", actor=mia, options={"seed": 7})
    run = actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia, options={"seed": 8})
    sweep = make_sweep(snapshot, mia, base=base, options={"seed": 9})
    run_jobs("default")
    client = client_for(mia)

    asked = ["", *(f"?like={each.uuid}" for each in (tried, run, sweep.trials.get()))]
    seeds = [client.get(f"/runs/launch/{like}").context["form"]["seed"].value() for like in asked]

    assert seeds == [1, 7, 8, 9]


def test_the_page_shows_what_the_whole_run_takes_and_starts_exactly_that(client_for, mia, tried, settings):
    settings.PRICE_PER_CORE_HOUR, settings.CURRENCY = 800, "EUR"
    measured(tried)
    client = client_for(mia)

    answer = client.get(f"/runs/estimates/{tried.uuid}/")
    form = answer.context["form"]
    values = {
        name: form[name].value()
        for name in form.fields
        if not (form[name].value() is None or form[name].value() is False)
    }
    chosen = {
        "dataset_version": str(tried.snapshot.uuid),
        "base": str(tried.base.uuid),
        "strategy": tried.strategy,
    }
    client.post("/runs/launch/", values | chosen)

    strip = {each.label: (each.value, each.sub) for each in answer.context["figures"]}
    assert strip["Time per step"] == ("200\N{NO-BREAK SPACE}ms", "9 steps, 3 evaluations")
    assert strip["Price"][0] == f"{tried.figures['cpu_seconds'] / 3600 * 800:.2f} EUR"
    assert sum(part["share"] for part in answer.context["parts"]) == pytest.approx(1)
    assert '<form method="post" action="/runs/launch/">' in answer.content.decode()
    assert 'hx-trigger="every 2s"' not in answer.content.decode()
    assert Run.objects.get().spec_digest == tried.spec_digest


def test_without_a_price_it_is_not_measured(client_for, mia, tried, settings):
    settings.PRICE_PER_CORE_HOUR = None
    measured(tried)

    strip = {
        each.label: (each.value, each.sub)
        for each in client_for(mia).get(f"/runs/estimates/{tried.uuid}/").context["figures"]
    }

    assert strip["Price"] == (None, "PRICE_PER_CORE_HOUR isn't set")


def test_a_failure_is_shown_with_a_next_step(client_for, mia, tried):
    actions.fail_estimate(tried, "out_of_memory", "The machine ran out of memory.", "Choose a smaller batch.")

    answer = client_for(mia).get(f"/runs/estimates/{tried.uuid}/")

    page = answer.content.decode()
    assert (
        'role="alert"><strong>The machine ran out of memory.</strong><p>Choose a smaller batch.</p>' in page
    )
    assert f'href="{answer.context["like_url"]}"' in page
    assert answer.context["like_url"] == f"/runs/launch/?like={tried.uuid}#settings"
    assert '<form method="post" action="/runs/launch/">' not in page


def test_low_memory_and_patience_are_noted(tried):
    actions.keep_estimate(tried, succeeded(batch_rows=16).data)
    tried.spec |= {"patience": 0}
    plain = estimate_page.notes(tried)
    tried.spec |= {"patience": 2}
    patient = estimate_page.notes(tried)
    tried.profile |= {"batch_rows": 4}

    short = [each for each in estimate_page.notes(tried) if each not in patient]

    assert (len(set(patient) - set(plain)), len(short)) == (1, 1)
    assert re.search(r"\b4\b.*\b16 rows", short[0])


def test_the_estimate_is_shown_next_to_the_run(client_for, mia, tried, snapshot, base):
    measured(tried)
    run = actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia, options={"epochs": 3})
    client = client_for(mia)
    waiting = {
        each["label"]: each["real"] for each in client.get(f"/runs/{run.uuid}/").context["expected"]["lines"]
    }
    finish_run(run)

    lines = {each["label"]: each for each in client.get(f"/runs/{run.uuid}/").context["expected"]["lines"]}

    assert set(waiting.values()) == {"not yet"}
    assert lines["Peak memory"] == {
        "label": "Peak memory",
        "expected": "944\N{NO-BREAK SPACE}MB",
        "real": "315\N{NO-BREAK SPACE}MB",
        "difference": "\u221267\N{NO-BREAK SPACE}%",
    }
    assert lines["Artifact"]["real"] == "Not measured"
    assert lines["Time"]["real"] == "12\N{NO-BREAK SPACE}s"


def test_a_run_with_other_settings_shows_no_estimate(client_for, mia, tried, snapshot, base):
    measured(tried)
    run = actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia, options={"epochs": 4})

    assert queries.estimate_of(run) is None
    assert client_for(mia).get(f"/runs/{run.uuid}/").context["expected"] is None


@pytest.mark.postgres
def test_the_api_tries_reads_and_cancels(client_for, mia, ana, otto, snapshot, base):
    client = client_for(mia)
    body = {
        "dataset_version": str(snapshot.uuid),
        "base": str(base.uuid),
        "strategy": "head",
        "options": {"epochs": 5},
    }

    made = client.post("/api/v1/estimates/", body, content_type="application/json")
    address = f"/api/v1/estimates/{made.json()['uuid']}/"
    refused = client.post(
        "/api/v1/estimates/", body | {"options": {"rank": 4}}, content_type="application/json"
    )

    assert (made.status_code, made.json()["figures"], made.json()["spec"]["epochs"]) == (201, None, 5)
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["rank"])
    assert [client_for(each).get(address).status_code for each in (ana, otto)] == [200, 404]
    assert (
        client_for(ana).post("/api/v1/estimates/", body, content_type="application/json").status_code == 404
    )
    assert client_for(ana).post(f"{address}cancel/").status_code == 403
    assert client.post(f"{address}cancel/").json()["error"]["code"] == "cancelled"
    found = measured(actions.estimate(snapshot=snapshot, base=base, strategy="head", actor=mia))
    assert (
        client.get(f"/api/v1/estimates/{found.uuid}/").json()["figures"]["seconds"]
        == found.figures["seconds"]
    )


# ── Bounds ──────────────────────────────────────────────────────────────────
def test_one_person_has_three_open_at_a_time_and_another_one_has_as_many(snapshot, base, mia, lee):
    asked = {"snapshot": snapshot, "base": base, "strategy": "lora"}
    open_ones = [actions.estimate(**asked, actor=mia, options={"epochs": epochs}) for epochs in (1, 2, 3)]
    before = (Estimate.objects.count(), Job.objects.count(), Event.objects.count())

    with refused(by=Conflict, naming=("3",)):
        actions.estimate(**asked, actor=mia, options={"epochs": 4})

    assert (
        (Estimate.objects.count(), Job.objects.count(), Event.objects.count())
        == before
        == (3, before[1], before[2])
    )
    assert actions.estimate(**asked, actor=mia, options={"epochs": 2}) == open_ones[1]
    actions.estimate(**asked, actor=lee, options={"epochs": 5})
    actions.cancel_estimate(estimate_id=open_ones[0].uuid, actor=mia)
    actions.estimate(**asked, actor=mia, options={"epochs": 4})
    assert Estimate.objects.count() == 5


def test_ten_steps_that_would_take_too_many_rows_are_refused_at_the_batch_size(
    snapshot, base, mia, monkeypatch
):
    monkeypatch.setattr("lifecycle.modeling.training.actions.estimates.ROWS_MAX", 30)

    with pytest.raises(Refused) as refusal:
        actions.estimate(snapshot=snapshot, base=base, strategy="lora", actor=mia, options={"batch_size": 4})

    rows = min(snapshot.counts["splits"]["train"], 40)
    assert refusal.value.fields == {
        "batch_size": [
            f"Ten steps with this batch size need {rows} rows; the limit is 30. Choose a smaller batch size."
        ]
    }
    assert nothing_happened()
