"""The report of each type: its metrics on the page and over the API, the rows behind them, who reads their
texts, and two runs compared.
"""

from __future__ import annotations

from collections import Counter
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape, strip_tags

from lifecycle.modeling.evaluation import actions, compare, queries, suggesters
from lifecycle.modeling.evaluation.api.evaluations import IN_LINES
from lifecycle.modeling.evaluation.models import Analysis
from lifecycle.modeling.evaluation.parts import strip
from lifecycle.modeling.evaluation.task_types.by_key.pages import page_of
from lifecycle.runtime.task_types.by_key.measures import measures_of
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.ui.numbers import decimals
from tests.support.probes import evaluated
from tests.support.unchanged import refused

STRIP = {
    "single_label": ("macro_f1", "accuracy", "log_loss", "ece"),
    "multi_label": ("macro_f1", "micro_f1", "subset_accuracy", "ece"),
    "spans": ("micro_f1", "macro_f1", "micro_precision", "micro_recall"),
    "preference": ("pair_accuracy", "best_first", "kendall_tau", "ece"),
    "ranking": ("pair_accuracy", "best_first", "kendall_tau", "ece"),
    "generation": ("rouge_l", "token_f1", "exact_match", "groundedness", "perplexity"),
    "chat": ("rouge_l", "token_f1", "exact_match", "groundedness", "perplexity"),
}
BASELINES = {
    "single_label": {"majority"},
    "multi_label": {"majority"},
    "spans": {"majority"},
    "preference": {"first", "longer"},
    "ranking": {"first", "longer"},
    "generation": {"prompted_base", "frequent"},
    "chat": {"prompted_base", "frequent"},
}


@pytest.fixture
def metrics(task):
    return measures_of(task).metrics


@pytest.fixture
def rows_url(measured):
    """Where its rows are listed."""
    return reverse(page_of(measured).address, args=[measured.uuid])


@pytest.fixture
def perfect(measured, mia):
    """Of another run on the same rows, all of which it has right."""
    return evaluated(measured.snapshot, mia, share=1.0, seed=2, base=measured.run.base)


def test_pages_and_programs_show_its_own_metrics(task, measured, metrics, client_for, mia):
    client, report = client_for(mia), measured.report

    page, of_run = (
        client.get(f"/evaluations/{path}/") for path in (measured.uuid, f"run/{measured.run.uuid}")
    )
    lines = client.get("/api/v1/evaluations/").json()["results"]
    whole = client.get(f"/api/v1/evaluations/{measured.uuid}/").json()

    listed = {each["key"]: each["value"] for each in page.context["metrics"]}
    assert listed.items() <= report.items()
    assert {name for name in (*metrics.strip, *metrics.beside) if report.get(name) is not None} <= {*listed}
    names = STRIP.get(task, metrics.strip)
    shown = [
        None if report.get(name) is None else decimals(report[name], metrics[name].digits) for name in names
    ]
    assert (
        [each.value for each in page.context["figures"]][: len(names)]
        == [each.value for each in strip(report)]
        == shown
    )
    assert {*report["baselines"]} == BASELINES.get(task, {*report["baselines"]})
    assert len(page.context["baselines"]) == 1 + len(report["baselines"])
    for content in (page.content.decode(), of_run.content.decode()):
        assert all(figure in content for figure in shown[:1])
        assert (f"/evaluations/{measured.uuid}/threshold/" in content) <= type_of(task).has_labels
    assert f"/evaluations/{measured.uuid}/slices/" in page.content.decode()
    assert ("/evaluations/pre-label/" in of_run.content.decode()) is type_of(task).prelabels
    (line,) = (each for each in lines if each["uuid"] == str(measured.uuid))
    assert {name: line[name] for name in IN_LINES} == {name: report.get(name) for name in IN_LINES}
    assert whole["report"] == report


def test_one_more_evaluation_takes_no_more_statements(measured, client_for, mia):
    client = client_for(mia)

    def statements() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert client.get(f"/evaluations/{measured.uuid}/").status_code == 200
        return len(caught)

    statements()
    before = statements()
    evaluated(measured.snapshot, mia, share=0.9, seed=3, base=measured.run.base)

    assert statements() == before
    assert client.get("/evaluations/").status_code == 200


def test_rows_are_listed_and_texts_are_for_those_who_may_read_them(
    task, measured, rows_url, client_for, mia, aida, gita, otto
):
    engineer, auditor, reviewer = (client_for(person).get(rows_url) for person in (mia, aida, gita))

    lines = engineer.context["lines"]
    wrong = measured.report.get("wrong_rows")
    assert engineer.context["total"] == (measured.rows if wrong is None else wrong) > 0
    assert len(lines) == min(30, engineer.context["total"])
    shown = unescape(strip_tags(engineer.content.decode()))
    assert all(line.text and line.text.splitlines()[-1].removeprefix("user: ") in shown for line in lines)
    assert [(line.item, line.text) for line in auditor.context["lines"]] == [
        (line.item, "") for line in lines
    ]
    assert not any(escape(line.text) in auditor.content.decode() for line in lines)
    opens = type_of(task).has_gold
    assert [
        (b'name="item"' in each.content, bool(each.context.get("pick_url"))) for each in (engineer, reviewer)
    ] == [
        (opens, opens),
        (False, False),
    ]
    if opens:
        picked = (
            client_for(mia)
            .get(engineer.context["pick_url"], {"item": [line.uuid for line in lines[:2]]})
            .context["form"]
        )
        assert sorted(str(item.uuid) for item in picked.initial["item"]) == sorted(
            line.uuid for line in lines[:2]
        )
    stranger = client_for(otto)
    assert [stranger.get(url).status_code for url in (rows_url, f"/evaluations/{measured.uuid}/")] == [
        404,
        404,
    ]
    assert stranger.get(f"/evaluations/run/{measured.run.uuid}/").status_code == 404
    assert str(measured.uuid) not in stranger.get("/evaluations/").content.decode()


def test_what_a_type_does_not_have_is_refused(task, measured, client_for, mia):
    kind, client = type_of(task), client_for(mia)

    found = {
        path: client.get(f"/evaluations/{measured.uuid}/{path}/").status_code
        for path in ("items", "predictions", "threshold", "clusters")
    }

    assert found == {
        name: 200 if fits else 422
        for name, fits in (
            ("items", not kind.writes_text),
            ("predictions", kind.writes_text),
            ("threshold", kind.has_labels),
            ("clusters", kind.has_labels),
        )
    }
    if not kind.has_labels:
        with refused():
            actions.analyse(evaluation=measured, kind=Analysis.Kind.CLUSTERS, actor=mia)


def test_a_run_pre_labels_no_dataset_of_another_type(task, measured, of_each_task, client_for, mia):
    model = suggesters.get_model(mia, "run", measured.run.uuid)
    others = (
        queries.Evaluation.objects.filter(uuid__in=of_each_task.values())
        .exclude(uuid=measured.uuid)
        .select_related("snapshot__dataset")
    )

    for other in others.select_related("snapshot__dataset"):
        if type_of(other.snapshot.dataset.task).prelabels:
            with refused("model"):
                actions.suggest(dataset=other.snapshot.dataset, model=model, actor=mia)
    if type_of(task).prelabels:
        offered = client_for(mia).get(f"/api/v1/datasets/{measured.snapshot.dataset.uuid}/pre-label/").json()
        assert [each["model"] for each in offered] == [str(measured.run.uuid)]
    else:
        with refused():
            actions.suggest(dataset=measured.snapshot.dataset, model=model, actor=mia)


def test_two_runs_are_compared_on_the_same_rows(task, measured, perfect, metrics, client_for, mia, aida):
    kind, name, client, query = (
        type_of(task),
        metrics.leading.name,
        client_for(mia),
        f"?a={measured.uuid}&b={perfect.uuid}",
    )

    report, back = compare.paired_report(measured, perfect), compare.paired_report(perfect, measured)

    leading = report["metrics"][name]
    assert (report["same_items"], report["rows"], bool(report["per_class"])) == (
        True,
        measured.rows,
        kind.has_labels,
    )
    assert {*report["metrics"]} == {
        each for each in metrics.compared if measured.report.get(each) is not None
    }
    assert (leading["baseline"], leading["candidate"]) == pytest.approx((measured.report[name], 1.0))
    assert (
        leading["difference"]
        == pytest.approx(1 - measured.report[name])
        == -back["metrics"][name]["difference"]
    )
    assert leading["verdict"] in ("better", "unclear")
    changed, better = compare.changed_items(measured, perfect), "better" if kind.writes_text else "fixed"
    kinds, wrong = Counter(each.kind for each in changed), measured.report.get("wrong_rows")
    assert {*kinds} <= {better, "same"}
    assert report["changes"][better] == kinds[better] == (kinds[better] if wrong is None else wrong) > 0
    page, hidden = (client_for(person).get(f"/evaluations/compare/{query}") for person in (mia, aida))
    assert report["summary"]["fact"] in page.content.decode()
    assert client.get(f"/api/v1/evaluations/compare/{query}").json()["changes"] == report["changes"]
    assert len(page.context["changed"]) == min(30, len(changed) - kinds["same"])
    texts = [
        text
        for item in queries.items_by_digest(measured, [each.item for each in changed]).values()
        for text in item.text.splitlines()
    ]
    assert any(escape(text.removeprefix("user: ")) in page.content.decode() for text in texts)
    assert [text for text in texts if len(text) > 8 and escape(text) in hidden.content.decode()] == []
