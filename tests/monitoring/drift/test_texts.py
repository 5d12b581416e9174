"""Texts of a day against those of the evaluation: separated or not, cancelled, failed, without an engine."""

import importlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import NotReady, Refused
from monitoring.drift import actions, queries
from monitoring.drift.models import DriftReport, TextCheck
from monitoring.traffic import actions as spool
from monitoring.traffic.models import Prediction
from tests.monitoring.drift.conftest import day
from tests.support import endpoints
from tests.support.jobs import run_jobs, run_ok

module = importlib.import_module("monitoring.drift.actions.texts")


def recently():
    return (datetime.now(UTC) - timedelta(hours=2)).isoformat(timespec="milliseconds")


KEY = {"Message": 0, "stolen": 1}


def as_vectors(_artifact, texts):
    """A tiny embedding: which known words a text holds, and its length."""
    return [
        [float(word in text) for word in KEY] + [len(text) / 100, (sum(map(ord, text)) % 97) / 97]
        for text in texts
    ]


@pytest.fixture
def engine(monkeypatch):
    """The warm engine's answers, without the engine."""
    calls = []

    def embed(artifact, texts):
        calls.append(len(texts))
        return as_vectors(artifact, texts)

    monkeypatch.setattr(module.warm, "embed", embed)
    return calls


@pytest.fixture
def kept(live_endpoint):
    """Keeps texts as answers of a day of March."""

    def keep(texts, number=2):
        at = f"2026-03-{number:02}T10:00:00.000+00:00"
        lines = [endpoints.spool_line(live_endpoint, (text, "billing", 0.9), at=at) for text in texts]
        endpoints.write_segment(*lines, name=f"202603{number:02}-0001.jsonl")
        spool.ingest()

    return keep


def check(endpoint, number=2):
    actions.check_texts_of_day(endpoint, endpoint.alias.version, day(number))
    (job,) = run_ok("default")
    assert job.kind == "drift.texts"
    return TextCheck.objects.latest("id")


STRANGE = [f"Somebody stole the card {n} and the phone was stolen too" for n in range(60)]


@pytest.mark.postgres
def test_texts_of_another_kind_are_separated_by_named_words(live_endpoint, kept, engine):
    kept(STRANGE)

    found = check(live_endpoint)

    words, meaning = found.results["words"], found.results["meaning"]
    assert (words["value"] > 0.95, meaning["value"] > 0.95) == (True, True)
    assert words["value"] > words["limit"] >= 0.55
    assert {"stolen", "card", "phone"} <= {each["word"] for each in found.new_words}
    assert "message" in {each["word"] for each in found.missing_words}
    assert (found.rows, found.reference_rows) == (60, 60)
    assert found.outside > 0.9
    assert len(found.typical) == 10
    assert {row.text for row in queries.typical_texts(found)} <= set(STRANGE)


def test_texts_of_the_same_kind_are_not(live_endpoint, kept, engine):
    version = live_endpoint.alias.version
    _, texts, _ = module.sample(actions.baseline(version))
    kept(texts)

    found = check(live_endpoint)

    assert found.state == "ok"
    assert found.results["words"]["mark"] in ("ok", "not_measured")


def test_texts_of_the_evaluation_come_with_their_groups_of_near_duplicates(live_endpoint, monkeypatch):
    base = actions.baseline(live_endpoint.alias.version)
    answers = module.evaluations.rows_of(base.evaluation)
    grouped = replace(answers, clusters=np.arange(len(answers.ids)) // 3)
    monkeypatch.setattr(module.evaluations, "rows_of", lambda _: grouped)

    digests, _, clusters = module.sample(base)

    assert clusters == [answers.ids.index(digest) // 3 for digest in digests]


def test_three_strange_days_open_and_the_accuracy_is_not_estimated_any_more(
    live_endpoint, traffic, kept, engine
):
    for number in (2, 3, 4):
        kept(STRANGE, number)
        check(live_endpoint, number)

    assert {row.monitor for row in queries.open_episodes(live_endpoint)} == {"words", "meaning"}
    report = actions.measure(live_endpoint, live_endpoint.alias.version, day(4))
    assert report.estimate is None
    assert report.results["accuracy"]["mark"] == "not_measured"
    assert "unlike anything evaluated" in report.results["accuracy"]["why"]


def test_too_few_texts_are_insufficient(live_endpoint, kept, engine):
    kept(STRANGE[:20])

    found = check(live_endpoint)

    assert (found.state, found.results["words"]["why"]) == (
        "insufficient",
        "The window has 20 stored texts; at least 50 are needed.",
    )
    assert engine == []


@pytest.mark.postgres
def test_erased_texts_are_not_compared(live_endpoint, kept, engine):
    kept(STRANGE)
    Prediction.objects.update(text=None)

    assert check(live_endpoint).state == "insufficient"


def test_the_same_day_again_is_the_same_check_and_the_reference_is_embedded_once(live_endpoint, kept, engine):
    kept(STRANGE)
    kept(STRANGE, 3)
    first = check(live_endpoint)

    assert check(live_endpoint) == first
    check(live_endpoint, 3)
    assert engine == [60, 60, 60]  # the reference, and each window


def test_a_model_without_vectors_is_compared_by_words_alone(live_endpoint, kept, monkeypatch):
    def refuse(*_):
        raise Refused("It was exported without them.")

    monkeypatch.setattr(module.warm, "embed", refuse)
    kept(STRANGE)

    found = check(live_endpoint)

    assert found.results["meaning"]["mark"] == "not_measured"
    assert (
        found.results["meaning"]["why"] == "The model produces no embeddings. It was exported without them."
    )
    assert found.results["words"]["value"] > 0.95
    assert found.outside is None


@pytest.mark.postgres
def test_an_engine_that_does_not_answer_is_failed_and_not_good(live_endpoint, kept, monkeypatch):
    def silent(*_):
        raise NotReady("The engine did not answer.")

    monkeypatch.setattr(module.warm, "embed", silent)
    kept(STRANGE)
    actions.check_texts_of_day(live_endpoint, live_endpoint.alias.version, day(2))

    (job,) = run_jobs("default")

    assert (job.state, job.attempt) == ("failed", 3)
    found = TextCheck.objects.get()
    assert (found.state, found.why) == ("failed", "The engine did not answer.")


@pytest.mark.postgres
def test_a_cancelled_comparison_leaves_nothing(live_endpoint, kept, engine, omar):
    kept(STRANGE)
    job = actions.check_texts_of_day(live_endpoint, live_endpoint.alias.version, day(2))
    original = module.warm.embed

    def cancelled_meanwhile(artifact, texts):
        Job.objects.filter(pk=job.pk).update(cancel_requested_at=job.created_at)
        return original(artifact, texts)

    module.warm.embed = cancelled_meanwhile
    try:
        (ended,) = run_jobs("default")
    finally:
        module.warm.embed = original

    assert ended.state == "cancelled"
    assert not TextCheck.objects.exists()


def test_measuring_now_gives_counts_and_texts_and_opens_nothing(live_endpoint, engine, omar):
    lines = [endpoints.spool_line(live_endpoint, (text, "billing", 0.9)) for text in STRANGE]
    endpoints.write_segment(*[line | {"at": recently()} for line in lines])
    spool.ingest()
    actions.ask(endpoint_id=live_endpoint.uuid, actor=omar)

    (job,) = run_ok("default")

    assert job.kind == "drift.measure"
    report, found = DriftReport.objects.get(), TextCheck.objects.get()
    assert (report.requested, found.requested, report.rows, found.rows) == (True, True, 60, 60)
    assert report.results["label"]["mark"] == "watch"
    assert queries.open_episodes(live_endpoint) == []
    assert queries.standing([live_endpoint])[live_endpoint.pk].report is None


def test_texts_compared_on_request_do_not_decide_whether_accuracy_can_be_estimated(live_endpoint):
    version, span = live_endpoint.alias.version, day(2)
    for requested, outside in ((False, 0.1), (True, 0.9)):
        TextCheck.objects.create(
            endpoint=live_endpoint,
            version=version,
            window_start=span.start,
            window_end=span.end,
            rows=60,
            reference_rows=60,
            state="ok",
            requested=requested,
            outside=outside,
        )

    assert queries.outside_share(live_endpoint, version, span.end) == 0.1
