"""Error clusters of models that predict labels, named by the most frequent error of their rows."""

from __future__ import annotations

import re
from collections import Counter
from unittest.mock import patch

import pytest

from lifecycle.ground.compute import warm
from lifecycle.modeling.evaluation import actions, queries, rules
from lifecycle.modeling.evaluation.models import Analysis, Evaluation
from lifecycle.modeling.evaluation.rules import Answer
from lifecycle.modeling.evaluation.task_types.multi_label.rows import ENTRY as SETS
from lifecycle.modeling.evaluation.task_types.rows import Slip, most_frequent
from lifecycle.modeling.evaluation.task_types.single_label.rows import ENTRY as LABELS
from lifecycle.modeling.evaluation.task_types.spans.rows import ENTRY as SPANS
from lifecycle.modeling.evaluation.task_types.spans.rows import SpanRow
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.runtime.task_types.spans.measures import Match
from lifecycle.runtime.task_types.spans.tagging import Found
from tests.support.jobs import run_ok
from tests.support.training import make_run
from tests.support.unchanged import refused
from tests.task_types.examples import EXAMPLES, TRAINED

CLUSTERS = Analysis.Kind.CLUSTERS
LABELED = [task for task in TRAINED if type_of(task).has_labels]
SHARES = {"train": 30, "validation": 20, "test": 50}


# ── Errors of a row ─────────────────────────────────────────────────────────
def test_single_label_errors_are_the_true_and_the_predicted_class():
    assert list(LABELS.slips(Answer("one", ("card",), ("refund",), 0.9, 1.0))) == [
        ("class", "card", "refund")
    ]


def test_multi_label_errors_are_counted_per_label():
    found = SETS.slips(Answer("one", ("card", "login"), ("login", "order", "refund"), 0.9, 1.0))

    assert list(found) == [("missed", "card", ""), ("invented", "", "order"), ("invented", "", "refund")]


def test_span_errors_count_a_wrong_class_in_any_place():
    thing, wish = Found(0, 4, 0, 0.9), Found(3, 9, 1, 0.8)
    row = SpanRow(
        "one",
        ("thing", "wish"),
        (),
        (),
        (
            Match("exact", (0, 4, 0), thing),
            Match("boundary", (0, 5, 0), thing),
            Match("class", (0, 4, 1), thing),
            Match("both", (0, 9, 0), wish),
            Match("missed", (12, 14, 1), None),
            Match("invented", None, wish),
        ),
    )

    assert list(SPANS.slips(row)) == [
        ("boundary", "thing", "thing"),
        ("class", "wish", "thing"),
        ("class", "thing", "wish"),
        ("missed", "wish", ""),
        ("invented", "", "wish"),
    ]


def test_a_row_counts_once_per_error_and_ties_go_to_the_first_by_class():
    missed, other = Slip("missed", "card", ""), Slip("class", "card", "order")

    assert most_frequent([[missed, missed], [missed, other], [other]]) == missed._asdict() | {"pair_rows": 2}


# ── Analyses ────────────────────────────────────────────────────────────────
def near(folder, texts):
    """Embeddings that place texts with the same word close together."""
    return [[1.0, 0.0] if "card" in text else [0.0, 1.0] for text in texts]


@pytest.fixture
def of_each_task(project, mia):
    """Evaluations with many wrong rows, by task."""
    runs = {
        task: make_run(EXAMPLES[task].snapshot(project, mia, copies=12, shares=SHARES), mia, accuracy=0.5)
        for task in LABELED
    }
    return {task: queries.latest_evaluation(run, "test").uuid for task, run in runs.items()}


@pytest.fixture
def grouped_each(of_each_task, mia):
    """Those evaluations with their error clusters."""
    with patch.object(warm, "embed", near):
        for uuid in of_each_task.values():
            actions.analyse(evaluation=Evaluation.objects.get(uuid=uuid), kind=CLUSTERS, actor=mia)
            run_ok("default")


@pytest.fixture(params=LABELED)
def measured(request, of_each_task):
    return Evaluation.objects.get(uuid=of_each_task[request.param])


@pytest.fixture
def grouped(measured, grouped_each):
    return queries.analysis(measured, CLUSTERS)


def mistook(measured) -> dict[str, set[tuple[str, str, str]]]:
    """The errors of each wrong row, from the stored predictions."""
    found: dict[str, set[tuple[str, str, str]]] = {}
    if measured.report.get("task", "single_label") == "single_label":
        for answer in LABELS.answers(queries.rows_of(measured)):
            found[answer.item] = (
                {("class", *answer.true, *answer.predicted)} if answer.true != answer.predicted else set()
            )
    elif measured.report["task"] == "multi_label":
        kept = queries.rows_of(measured)
        for item, true, given in zip(kept.ids, kept.truth, kept.decided, strict=True):
            sides = zip(kept.labels, true, given, strict=True)
            found[item] = {
                ("missed", label, "") if held else ("invented", "", label)
                for label, held, given in sides
                if held != given
            }
    else:
        from lifecycle.runtime.task_types.spans.measures import matches

        kept = queries.rows_of(measured)
        for item, true, some in zip(kept.ids, kept.truth, kept.found, strict=True):
            found[item] = {
                (
                    "class" if each.kind == "both" else each.kind,
                    kept.labels[each.true[2]] if each.true else "",
                    kept.labels[each.found.label] if each.found else "",
                )
                for each in matches(true, some)
                if each.kind != "exact"
            }
    return {item: some for item, some in found.items() if some}


def items_of(measured, lines) -> list[str]:
    """The items listed on a page."""
    return [getattr(line, "item", None) or line.answer.item for line in lines]


@pytest.mark.django_db
def test_every_wrong_row_is_in_one_group_named_by_its_most_frequent_error(grouped, measured):
    report, wrong = grouped.report, mistook(measured)
    items = queries.items_by_digest(measured, wrong)
    with_card = {digest for digest in wrong if "card" in items[digest].text}

    assert report["errors"] == report["taken"] == len(wrong) == rules.errors(measured.report) >= 20
    assert sorted(map(set, (group["items"] for group in report["groups"])), key=len) == sorted(
        [with_card, set(wrong) - with_card], key=len
    )
    assert report["silhouette"] == 1.0
    for group in report["groups"]:
        counts = Counter(each for item in group["items"] for each in wrong[item])
        assert group["pair_rows"] >= len(group["items"]) / 6
        assert (
            group["pair_rows"]
            == counts[group["kind"], group["true"], group["predicted"]]
            == max(counts.values())
        )
        assert sorted(group) == ["items", "kind", "pair_rows", "predicted", "true"]


@pytest.mark.django_db
def test_the_report_links_to_the_groups_and_texts_need_permission(grouped, measured, client_for, mia, aida):
    address = f"/evaluations/{measured.uuid}/clusters/"
    report = client_for(mia).get(f"/evaluations/{measured.uuid}/").content.decode()

    engineer, auditor = (client_for(person).get(address) for person in (mia, aida))

    assert f'<a href="{address}">' in report
    assert [len(group.lines) for group in engineer.context["groups"]] == [3, 3]
    assert any("card" in group.words for group in engineer.context["groups"])
    assert [group.words for group in auditor.context["groups"]] == [[], []]
    texts = {item.text for item in queries.items_by_digest(measured, mistook(measured)).values()}
    assert not any(text in auditor.content.decode() for text in texts)
    shown = [item for group in engineer.context["groups"] for item in items_of(measured, group.lines)]
    assert shown == [item for group in grouped.report["groups"] for item in group["items"][:3]]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("measured", "slip", "text"),
    [
        ("multi_label", ("missed", "card", ""), "card is missed"),
        ("multi_label", ("invented", "", "card"), "card is predicted wrongly"),
        ("spans", ("missed", "card", ""), "card is missed"),
        ("spans", ("invented", "", "card"), "card is spurious"),
        ("spans", ("class", "card", "wish"), "card is predicted as wish"),
        ("spans", ("boundary", "wish", "wish"), "wish is predicted with a different boundary"),
    ],
    indirect=["measured"],
)
def test_errors_are_described_in_the_tasks_terms(measured, slip, text, client_for, mia):
    item, *_ = mistook(measured)
    group = {"items": [item], **Slip(*slip)._asdict(), "pair_rows": 1}
    report = {"errors": 1, "taken": 1, "silhouette": 0.0, "groups": [group]}
    Analysis.objects.create(evaluation=measured, kind=CLUSTERS, report=report, created_by=mia)

    page = " ".join(client_for(mia).get(f"/evaluations/{measured.uuid}/clusters/").content.decode().split())

    assert f"1 error, in all of them {text}." in page


@pytest.mark.django_db
def test_the_rows_of_a_group_open_in_order_and_can_be_queued(
    grouped, measured, client_for, mia, django_assert_max_num_queries
):
    address, groups = f"/evaluations/{measured.uuid}/items/", grouped.report["groups"]

    with django_assert_max_num_queries(40) as first:
        page = client_for(mia).get(address, {"group": "1"})
    with django_assert_max_num_queries(len(first)):
        other = client_for(mia).get(address, {"group": "2"})

    assert items_of(measured, page.context["lines"]) == groups[0]["items"][:30]
    assert items_of(measured, other.context["lines"]) == groups[1]["items"][:30]
    heads = [re.search("<h1>(.*?)</h1>", each.content.decode())[1] for each in (page, other)]
    assert [re.findall(r"\d+", head) for head in heads] == [["1"], ["2"]]
    assert (page.context["total"], bool(page.context["pick_url"])) == (len(groups[0]["items"]), True)
    if len(groups[0]["items"]) > 30:
        behind = client_for(mia).get(f"{address}?{page.context['chosen']}&from=30")
        assert items_of(measured, behind.context["lines"]) == groups[0]["items"][30:60]
    for odd in ("0", "99", "x"):
        assert client_for(mia).get(address, {"group": odd}).status_code == 404


@pytest.mark.postgres
@pytest.mark.django_db
def test_a_stored_group_is_shown_with_its_size_kind_and_labels(snapshot, mia, client_for):
    measured = queries.latest_evaluation(make_run(snapshot, mia, accuracy=0.5), "test")
    items = [answer.item for answer in LABELS.first(measured, 2)]
    report = {
        "errors": 2,
        "taken": 2,
        "silhouette": 0.0,
        "groups": [{"items": items, "kind": "class", "true": "card", "predicted": "refund", "pair_rows": 2}],
    }
    Analysis.objects.create(evaluation=measured, kind=CLUSTERS, report=report, created_by=mia)

    answer = client_for(mia).get(f"/evaluations/{measured.uuid}/clusters/")

    (group,) = answer.context["groups"]
    assert (group.size, group.kind, group.true, group.predicted, group.pair_rows) == (
        2,
        "class",
        "card",
        "refund",
        2,
    )
    assert re.search(r"<p>2 errors, [^<]*card\b[^<]*refund\b", answer.content.decode())


@pytest.mark.django_db
def test_too_few_errors_are_refused_and_nothing_is_queued(measured, client_for, mia, monkeypatch):
    address = f"/evaluations/{measured.uuid}/clusters/"
    offered = client_for(mia).get(address).content.decode()
    monkeypatch.setattr(rules, "LEAST_ERRORS", 1_000)

    with refused(
        naming=(
            str(rules.errors(measured.report)),
            "1000",
        )
    ):
        actions.analyse(evaluation=measured, kind=CLUSTERS, actor=mia)

    page = client_for(mia).get(address).content.decode()
    assert ("/analyze/" in offered, "/analyze/" in page) == (True, False)
    assert f'href="/evaluations/{measured.uuid}/items/"' in page
