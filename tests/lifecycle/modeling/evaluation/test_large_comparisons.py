"""Evaluations too large for a request are compared by a job: same figures, stored, and never partially."""

import pytest

from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.remembered import cache
from lifecycle.modeling.evaluation import actions, compare, queries
from lifecycle.modeling.evaluation.models import Comparison
from tests.lifecycle.ground.jobs.test_ends_while_a_page_is_read import body, body_during
from tests.support.jobs import run_jobs, run_ok
from tests.support.training import make_run, make_snapshot

PAGE, API = "/evaluations/compare/", "/api/v1/evaluations/compare/"


@pytest.fixture
def two(project, mia):
    """Two evaluations on one test split, and their comparison in a request."""
    snapshot = make_snapshot(project, mia, copies=12)
    runs = [make_run(snapshot, mia, accuracy=share, seed=seed) for share, seed in ((0.4, 1), (1.0, 2))]
    a, b = (queries.latest_evaluation(run, "test") for run in runs)
    return a, b, compare.paired_report(a, b), compare.first_changes(a, b)


@pytest.fixture
def large(two, monkeypatch):
    """The same with a limit that makes them large, and an empty cache."""
    monkeypatch.setattr(compare, "LARGE", 0)
    cache.clear()
    return two


def of(a, b):
    return {"a": str(a.uuid), "b": str(b.uuid)}


def test_a_job_computes_the_same_figures_and_stores_them(client_for, large, mia):
    a, b, at_once, changed = large
    client = client_for(mia)
    assert (
        client.get(PAGE, of(a, b)).context["large"],
        Job.objects.filter(kind="evaluation.compare").count(),
    ) == (True, 0)

    assert client.post(PAGE, of(a, b)).headers["Location"] == f"{PAGE}?a={a.uuid}&b={b.uuid}"
    assert client.get(PAGE, of(a, b)).context["waits"] is True
    (job,) = run_ok()

    assert (job.kind, job.stage, job.subject_uuid, job.created_by) == (
        "evaluation.compare",
        "Listing changed items",
        b.uuid,
        mia,
    )
    kept = Comparison.objects.get()
    assert (kept.a, kept.b, kept.created_by) == (a, b, mia)
    assert compare.paired_report(a, b) == at_once
    assert list(compare.paired_report(a, b)["metrics"]) == list(at_once["metrics"])
    assert compare.first_changes(a, b) == changed
    assert len(changed) > 0
    assert client.get(API, of(a, b)).json() == at_once
    assert client.get(PAGE, of(a, b)).context["report"] == at_once


def test_a_job_that_ends_during_a_page_load_is_not_offered_again(client_for, large, mia):
    a, b, *_ = large
    actions.start_comparison(a=a, b=b, actor=mia)
    client, url = client_for(mia), f"{PAGE}?a={a.uuid}&b={b.uuid}"

    assert body_during(client, url) == body(client, url)


def test_the_api_returns_the_next_step(client_for, large, mia):
    a, b, at_once, _ = large
    client = client_for(mia)

    def ask(method):
        answer = getattr(client, method)(
            API, of(a, b), **({"content_type": "application/json"} if method == "post" else {})
        )
        return answer.status_code, answer.json()

    assert (ask("get")[0], ask("get")[1]["code"], Job.objects.filter(kind="evaluation.compare").count()) == (
        422,
        "refused",
        0,
    )
    status, started = ask("post")
    assert (status, started["kind"]) == (202, "evaluation.compare")
    assert [(status, job["uuid"]) for status, job in (ask("get"), ask("post"))] == [
        (202, started["uuid"])
    ] * 2
    run_ok()
    assert ask("get") == (200, at_once)
    assert ask("post")[0] == 409
    assert Job.objects.filter(kind="evaluation.compare").count() == 1


def test_a_cancelled_comparison_stores_nothing_and_can_be_restarted(client_for, large, mia, monkeypatch):
    a, b, at_once, _ = large
    job = actions.start_comparison(a=a, b=b, actor=mia)
    computed = compare.computed

    def cancelled(a, b, progress):
        jobs.cancel(job.uuid, mia)
        return computed(a, b, progress)

    with monkeypatch.context() as patched:
        patched.setattr(compare, "computed", cancelled)
        (ended,) = run_jobs()

    assert (ended.state, ended.stage, Comparison.objects.count()) == ("cancelled", "Reading predictions", 0)
    page = client_for(mia).get(PAGE, of(a, b)).context
    assert (page["large"], page["waits"], page["job"]) == (True, False, ended)
    actions.start_comparison(a=a, b=b, actor=mia)
    run_ok()
    assert compare.paired_report(a, b) == at_once


def test_progress_is_reported_in_resamples(two):
    a, b, at_once, _ = two
    calls = []

    found = compare.computed(a, b, lambda done, total: calls.append((done, total)))

    assert (calls[0], {total for _, total in calls}, sorted(calls) == calls) == ((0, 3000), {3000}, True)
    assert found["digest"] == at_once["digest"]


def test_a_small_comparison_needs_no_job(client_for, two, mia):
    a, b, _, _ = two

    answers = [
        client_for(mia).post(PAGE, of(a, b)),
        client_for(mia).post(API, of(a, b), content_type="application/json"),
    ]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert not Job.objects.filter(kind="evaluation.compare").exists()


def test_hidden_evaluations_cannot_be_compared(client_for, large, otto):
    a, b, _, _ = large
    client = client_for(otto)

    found = [
        client.post(PAGE, of(a, b)),
        client.post(API, of(a, b), content_type="application/json"),
        client.post(PAGE, {"a": "x"}),
    ]

    assert [answer.status_code for answer in found] == [404, 404, 404]
    assert not Job.objects.filter(kind="evaluation.compare").exists()


def test_a_deciding_comparison_is_stored_once_as_by_the_job(large):
    a, b, at_once, changed = large

    found = [actions.compare_uncached(a, b), actions.compare_uncached(a, b)]

    assert [each.items() <= at_once.items() for each in found] == [True, True]
    assert [(kept.a, kept.b, kept.created_by) for kept in Comparison.objects.all()] == [(a, b, None)]
    assert (compare.paired_report(a, b), compare.first_changes(a, b)) == (at_once, changed)


def test_a_deciding_comparison_reads_nothing_stored_or_cached(large):
    a, b, at_once, _ = large
    Comparison.objects.create(a=a, b=b, report=compare.kept_as(at_once | {"rows": 7}), changed=[])
    assert compare.paired_report(a, b)["rows"] == 7

    found = actions.compare_uncached(a, b)

    assert (found["rows"], found["digest"]) == (at_once["rows"], at_once["digest"])
    assert Comparison.objects.get().report["rows"] == 7  # it never expires and is only for the page


def test_a_small_comparison_is_not_stored(two):
    actions.compare_uncached(*two[:2])

    assert not Comparison.objects.exists()
