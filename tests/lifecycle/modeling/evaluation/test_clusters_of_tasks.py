"""The errors of models that give labels stand in groups, told by the mistake that most of their rows hold."""

from __future__ import annotations

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


# ── What a row mistook ──────────────────────────────────────────────────────
def test_of_one_class_it_is_the_class_that_was_read_as_the_other():
    assert list(LABELS.slips(Answer("one", ("card",), ("refund",), 0.9, 1.0))) == [("class", "card", "refund")]


def test_of_several_classes_each_stands_for_itself():
    found = SETS.slips(Answer("one", ("card", "login"), ("login", "order", "refund"), 0.9, 1.0))

    assert list(found) == [("missed", "card", ""), ("invented", "", "order"), ("invented", "", "refund")]


def test_of_marked_parts_another_class_counts_wherever_it_stands():
    thing, wish = Found(0, 4, 0, 0.9), Found(3, 9, 1, 0.8)
    row = SpanRow("one", ("thing", "wish"), (), (), (
        Match("exact", (0, 4, 0), thing), Match("boundary", (0, 5, 0), thing), Match("class", (0, 4, 1), thing),
        Match("both", (0, 9, 0), wish), Match("missed", (12, 14, 1), None), Match("invented", None, wish),
    ))  # fmt: skip

    assert list(SPANS.slips(row)) == [
        ("boundary", "thing", "thing"), ("class", "wish", "thing"), ("class", "thing", "wish"), ("missed", "wish", ""),
        ("invented", "", "wish"),
    ]  # fmt: skip


def test_a_row_counts_once_for_a_mistake_and_of_equals_the_first_by_its_classes_tells_the_group():
    missed, other = Slip("missed", "card", ""), Slip("class", "card", "order")

    assert most_frequent([[missed, missed], [missed, other], [other]]) == missed._asdict() | {"pair_rows": 2}


# ── Analyses ────────────────────────────────────────────────────────────────
def near(folder, texts):
    """The vectors of an engine for which texts are near each other that hold the same word."""
    return [[1.0, 0.0] if "card" in text else [0.0, 1.0] for text in texts]


@pytest.fixture
def of_each_task(project, mia):
    """An evaluation in which many rows are wrong, by task."""
    runs = {task: make_run(EXAMPLES[task].snapshot(project, mia, copies=12, shares=SHARES), mia, accuracy=0.5) for task in LABELED}
    return {task: queries.latest_evaluation(run, "test").uuid for task, run in runs.items()}


@pytest.fixture
def grouped_each(of_each_task, mia):
    """Those evaluations once their errors stand in groups."""
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
    """The mistakes of each wrong row, from what the evaluation kept."""
    found: dict[str, set[tuple[str, str, str]]] = {}
    if measured.report.get("task", "single_label") == "single_label":
        for answer in LABELS.answers(queries.rows_of(measured)):
            found[answer.item] = {("class", *answer.true, *answer.predicted)} if answer.true != answer.predicted else set()
    elif measured.report["task"] == "multi_label":
        kept = queries.rows_of(measured)
        for item, true, given in zip(kept.ids, kept.truth, kept.decided, strict=True):
            sides = zip(kept.labels, true, given, strict=True)
            found[item] = {("missed", label, "") if held else ("invented", "", label) for label, held, said in sides if held != said}
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
    """The items of the lines of a page."""
    return [getattr(line, "item", None) or line.answer.item for line in lines]


@pytest.mark.django_db
def test_every_row_that_is_not_all_right_is_in_one_group_and_its_most_frequent_mistake_tells_it(grouped, measured):
    report, wrong = grouped.report, mistook(measured)
    items = queries.items_by_digest(measured, wrong)
    with_card = {digest for digest in wrong if "card" in items[digest].text}

    assert report["errors"] == report["taken"] == len(wrong) == rules.errors(measured.report) >= 20
    assert sorted(map(set, (group["items"] for group in report["groups"])), key=len) == sorted([with_card, set(wrong) - with_card], key=len)
    assert report["silhouette"] == 1.0
    for group in report["groups"]:
        counts = Counter(each for item in group["items"] for each in wrong[item])
        assert group["pair_rows"] >= len(group["items"]) / 6
        assert group["pair_rows"] == counts[group["kind"], group["true"], group["predicted"]] == max(counts.values())
        assert sorted(group) == ["items", "kind", "pair_rows", "predicted", "true"]


@pytest.mark.django_db
def test_the_report_leads_to_the_groups_and_texts_are_for_those_who_may_read_them(grouped, measured, client_for, mia, aida):
    address = f"/evaluations/{measured.uuid}/clusters/"
    report = client_for(mia).get(f"/evaluations/{measured.uuid}/").content.decode()

    engineer, auditor = (client_for(person).get(address) for person in (mia, aida))

    assert f'<a href="{address}">clustered</a>' in report
    assert [len(group.lines) for group in engineer.context["groups"]] == [3, 3]
    assert any("card" in group.words for group in engineer.context["groups"])
    assert [group.words for group in auditor.context["groups"]] == [[], []]
    texts = {item.text for item in queries.items_by_digest(measured, mistook(measured)).values()}
    assert not any(text in auditor.content.decode() for text in texts)
    shown = [item for group in engineer.context["groups"] for item in items_of(measured, group.lines)]
    assert shown == [item for group in grouped.report["groups"] for item in group["items"][:3]]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("measured", "slip", "said"),
    [
        ("multi_label", ("missed", "card", ""), "card is missed"), ("multi_label", ("invented", "", "card"), "card is predicted wrongly"),
        ("spans", ("missed", "card", ""), "card is missed"), ("spans", ("invented", "", "card"), "card is spurious"),
        ("spans", ("class", "card", "wish"), "card is predicted as wish"),
        ("spans", ("boundary", "wish", "wish"), "wish is predicted with a different boundary"),
    ],
    indirect=["measured"],
)  # fmt: skip
def test_a_mistake_is_told_in_the_words_of_the_task(measured, slip, said, client_for, mia):
    (item, *_) = mistook(measured)
    group = {"items": [item], **Slip(*slip)._asdict(), "pair_rows": 1}
    report = {"errors": 1, "taken": 1, "silhouette": 0.0, "groups": [group]}
    Analysis.objects.create(evaluation=measured, kind=CLUSTERS, report=report, created_by=mia)

    page = " ".join(client_for(mia).get(f"/evaluations/{measured.uuid}/clusters/").content.decode().split())

    assert f"1 error, in all of them {said}." in page


@pytest.mark.django_db
def test_the_rows_of_a_group_open_in_its_order_and_become_a_queue(grouped, measured, client_for, mia, django_assert_max_num_queries):
    address, groups = f"/evaluations/{measured.uuid}/items/", grouped.report["groups"]

    with django_assert_max_num_queries(40) as first:
        page = client_for(mia).get(address, {"group": "1"})
    with django_assert_max_num_queries(len(first)):
        other = client_for(mia).get(address, {"group": "2"})

    assert items_of(measured, page.context["lines"]) == groups[0]["items"][:30]
    assert items_of(measured, other.context["lines"]) == groups[1]["items"][:30]
    assert "Error cluster 2" in other.content.decode()
    assert (page.context["total"], bool(page.context["pick_url"])) == (len(groups[0]["items"]), True)
    if len(groups[0]["items"]) > 30:
        behind = client_for(mia).get(f"{address}?{page.context['chosen']}&from=30")
        assert items_of(measured, behind.context["lines"]) == groups[0]["items"][30:60]
    for odd in ("0", "99", "x"):
        assert client_for(mia).get(address, {"group": odd}).status_code == 404


@pytest.mark.postgres
@pytest.mark.django_db
def test_groups_that_were_kept_before_kinds_were_told_are_shown(snapshot, mia, client_for):
    measured = queries.latest_evaluation(make_run(snapshot, mia, accuracy=0.5), "test")
    items = [answer.item for answer in LABELS.first(measured, 2)]
    report = {
        "errors": 2,
        "taken": 2,
        "silhouette": 0.0,
        "groups": [{"items": items, "true": "card", "predicted": "refund", "pair_rows": 2}],
    }
    Analysis.objects.create(evaluation=measured, kind=CLUSTERS, report=report, created_by=mia)

    page = client_for(mia).get(f"/evaluations/{measured.uuid}/clusters/").content.decode()

    assert "2 errors, all of them card predicted as refund." in page


@pytest.mark.django_db
def test_too_few_errors_are_said_and_nothing_is_queued(measured, client_for, mia, monkeypatch):
    monkeypatch.setattr(rules, "LEAST_ERRORS", 1_000)

    with refused(match=f"made {rules.errors(measured.report)} errors on these rows; .* needs at least 1000"):
        actions.analyse(evaluation=measured, kind=CLUSTERS, actor=mia)

    assert "/analyse/" not in client_for(mia).get(f"/evaluations/{measured.uuid}/clusters/").content.decode()
