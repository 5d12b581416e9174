"""Word attribution for a prediction of each type: requested, computed, shown to those who may read samples,
and stored without any text.
"""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from datasets_app.datasets.models import Item
from datasets_app.snapshots import queries as snapshots
from lifecycle.ground.compute import warm
from lifecycle.ground.compute.child import Result
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation import actions, queries
from lifecycle.modeling.evaluation.models import Analysis
from lifecycle.modeling.evaluation.task_types.by_key.pages import page_of
from lifecycle.modeling.evaluation.task_types.by_key.rows import rows_for
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.by_key.types import type_of
from registry.ground.ledger.models import Event
from tests.support.jobs import run_jobs, run_ok
from tests.support.unchanged import refused

WORDS = Analysis.Kind.WORDS


@pytest.fixture
def item(measured) -> Item:
    """One whose prediction has words to look for."""
    rows = rows_for(measured)
    for digest in queries.rows_of(measured).ids:
        try:
            rows.explain_row(measured, digest)
        except Refused:
            continue
        return queries.items_by_digest(measured, [digest])[digest]
    raise AssertionError


@pytest.fixture
def address(measured, item):
    return f"/evaluations/{measured.uuid}/attribution/?item={item.digest}"


def test_a_page_and_programs_ask_for_them_and_show_the_same(
    task, measured, engine, item, address, client_for, mia
):
    client, api = client_for(mia), f"/api/v1/evaluations/{measured.uuid}/attribution/"
    before = client.get(address)
    assert (before.context["report"], client.get(api, {"item": item.digest}).status_code) == ({}, 404)
    assert f'action="{address}"' in before.content.decode().replace("&amp;", "&")

    asked = client.post(api, {"item": item.digest}, content_type="application/json")
    assert client.post(address).status_code == 302  # the same job
    run_ok("default", "training", "evaluation")
    page = client.get(address)
    found = client.get(api, {"item": item.digest}).json()

    kind = "evaluation.words_written" if type_of(task).writes_text else "evaluation.words"
    assert (asked.status_code, asked.json()["kind"], len(engine)) == (202, kind, 1)
    assert found["report"] == queries.analysis(measured, WORDS, item.digest).report
    assert {round(part.effect, 2) for part in effects(page)} <= {1.5, -0.6, 4.0, -2.5, -0.5, 0.0}
    assert page.content.decode().count("<mark class=") >= 2
    assert (
        f'<mark class="for f3" title="+{"4.00" if type_of(task).writes_text else "1.50"}">'
        in page.content.decode()
    )
    assert client.post(api, {}, content_type="application/json").status_code == 400
    counts = set()
    for url in (address, *(tab["url"] for tab in page.context.get("tabs") or [])):
        with CaptureQueriesContext(connection) as caught:
            assert client.get(url).status_code == 200
        counts.add(len(caught))
    assert len(counts) == 1


def effects(page):
    """The parts that the page lists, the strongest first."""
    return [getattr(each, "part", each) for each in page.context["words"]]


def test_each_row_leads_there_for_those_who_read_samples(measured, client_for, mia, aida):
    url = reverse(page_of(measured).address, args=[measured.uuid])
    engineer, auditor = (client_for(person).get(url) for person in (mia, aida))

    rows = rows_for(measured)
    for line in engineer.context["lines"]:
        try:
            rows.explain_row(measured, line.item)
            assert line.why == f"/evaluations/{measured.uuid}/attribution/?item={line.item}"
            assert line.why in engineer.content.decode()
        except Refused:
            assert line.why == ""
    assert {each.why for each in auditor.context["lines"]} <= {""}


def test_only_those_who_read_samples_may(measured, item, address, client_for, lee, otto):
    for method in ("get", "post"):
        assert [getattr(client_for(each), method)(address).status_code for each in (lee, otto)] == [403, 404]
    with pytest.raises(PermissionDenied):
        actions.analyse(evaluation=measured, kind=WORDS, actor=lee, item=item.digest)
    assert not Job.objects.filter(kind__startswith="evaluation.words").exists()


def test_an_item_that_was_not_predicted_is_refused_and_nothing_is_queued(measured, client_for, mia):
    stray = measured.snapshot.dataset.items.exclude(digest__in=queries.rows_of(measured).ids).first()

    for digest in (stray.digest, "f" * 64):
        with refused("item"):
            actions.analyse(evaluation=measured, kind=WORDS, actor=mia, item=digest)
        assert (
            client_for(mia).get(f"/evaluations/{measured.uuid}/attribution/?item={digest}").status_code == 404
        )
    bare = client_for(mia).get(f"/evaluations/{measured.uuid}/attribution/")
    assert bare.headers["Location"] == reverse(page_of(measured).address, args=[measured.uuid])


def texts_are(monkeypatch, text):
    """Every item that is read has this text."""
    real = queries.items_by_digest

    def changed(*asked):
        found = real(*asked)
        for each in found.values():
            each.text = text
        return found

    monkeypatch.setattr(queries, "items_by_digest", changed)


def test_no_text_is_kept_and_after_deletion_nothing_is_shown_or_sent(
    measured, engine, item, address, client_for, mia, monkeypatch
):
    actions.analyse(evaluation=measured, kind=WORDS, actor=mia, item=item.digest)
    run_ok("default", "training", "evaluation")
    kept = json.dumps(
        [queries.analysis(measured, WORDS, item.digest).report, *Job.objects.values_list("args", flat=True)]
    )
    kept += "".join(
        map(
            str,
            Event.objects.filter(verb__startswith="evaluation.analysis").values_list("canonical", flat=True),
        )
    )
    words = {word for word in item.text.split() if len(word) > 3 and word.isalpha()} - {"card", "where"}
    assert words
    assert not any(word in kept for word in words)

    texts_are(monkeypatch, "")
    monkeypatch.setattr(snapshots, "learned_rows_of", lambda *_: {})

    with refused():
        actions.analyse(evaluation=measured, kind=WORDS, actor=mia, item=item.digest)
    page = client_for(mia).get(address).content.decode()

    assert item.text.splitlines()[-1].removeprefix("user: ") not in page
    assert 'method="post"' not in page.partition("<main")[2].partition("</main>")[0]


def test_an_item_without_words_is_refused(task, measured, item, mia, monkeypatch):
    real = snapshots.learned_rows_of
    silent = {
        "text": "?!",
        "responses": ["!", "…", "."],
        "messages": [{"role": "user", "content": "?!"}, {"role": "assistant", "content": "x"}],
    }

    def quiet(*asked):
        return {
            digest: row | {name: silent[name] for name in silent if name in row}
            for digest, row in real(*asked).items()
        }

    monkeypatch.setattr(snapshots, "learned_rows_of", quiet)
    texts_are(monkeypatch, "?!")

    with refused():
        actions.analyse(evaluation=measured, kind=WORDS, actor=mia, item=item.digest)


def test_where_the_engine_fails_the_job_reports_it_and_nothing_is_kept(
    task, measured, item, address, client_for, mia, monkeypatch
):
    failed = Result("failed", "base_missing", "The base model is not there.", "Add it again.")

    def broken(*_, **__):
        raise Refused(failed.message, next_step=failed.next_step)

    for name in ("explain", "explain_responses"):
        monkeypatch.setattr(warm, name, broken)
    monkeypatch.setattr("lifecycle.modeling.evaluation.child.run_child", lambda *_: failed)
    actions.analyse(evaluation=measured, kind=WORDS, actor=mia, item=item.digest)
    (job,) = run_jobs("default", "training", "evaluation")

    assert (job.state, job.error) == ("failed", "The base model is not there.")
    assert job.error in client_for(mia).get(address).content.decode()
    assert not Analysis.objects.exists()
    assert not Event.objects.filter(verb="evaluation.analysis_recorded").exists()
