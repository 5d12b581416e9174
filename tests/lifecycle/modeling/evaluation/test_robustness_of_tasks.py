"""Robustness tests for every task: pages and API show its scores and describe changed predictions in its
terms.
"""

from __future__ import annotations

import re
from unittest.mock import patch

import pytest

from datasets_app.datasets.models import Item
from datasets_app.snapshots import queries as snapshots
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation import robustness_page
from lifecycle.runtime.engine.perturb import PROBES, disturb, disturb_responses
from registry.ground.ledger.models import Event
from tests.support.evaluations import made_probes
from tests.support.probes import flip, items_of
from tests.task_types.examples import EXAMPLES
from tests.task_types.examples import TRAINED as TASKS

pytestmark = pytest.mark.django_db
NAMED = {
    "single_label": ("Accuracy", "Macro-F1"),
    "multi_label": ("Micro-F1", "Subset accuracy"),
    "spans": ("Micro-F1", "Texts with every span correct"),
    "preference": ("Pairwise accuracy", "Best response first"),
    "ranking": ("Pairwise accuracy", "Best response first"),
    "generation": ("ROUGE-L", "Exact match"),
    "chat": ("ROUGE-L", "Exact match"),
}
HEADS = {
    "preference": "Prompt and responses",
    "ranking": "Prompt and responses",
    "generation": "Prompt",
    "chat": "Prompt",
}


@pytest.mark.parametrize("task", TASKS)
def test_a_model_of_each_task_can_be_probed(task, measure, client_for, mia):
    evaluation, client = measure(task), client_for(mia)
    address = f"/evaluations/{evaluation.uuid}/robustness/"

    report, page = (
        client.get(f"/evaluations/{evaluation.uuid}/").content.decode(),
        client.get(address).content.decode(),
    )
    answer = client.post(f"/evaluations/{evaluation.uuid}/analyze/", {"kind": "robustness"})

    assert f'href="{address}"' in report
    assert 'value="robustness"' in page
    assert ("up to 100 rows" if task in ("generation", "chat") else "up to 2,000 rows") in page
    assert (answer.status_code, Job.objects.get(kind="evaluation.robustness").state) == (302, "queued")
    assert Event.objects.filter(verb="evaluation.analysis_requested").count() == 1


@pytest.mark.parametrize("task", TASKS)
def test_its_scores_are_shown_and_a_finding_only_if_significant(task, measure, client_for, mia):
    evaluation = measure(task)
    items = items_of(evaluation)
    probed = made_probes(
        evaluation, mia, [flip(task, item, probe) for item in items[:2] for probe in ("typos", "upper")]
    )

    page = client_for(mia).get(f"/evaluations/{evaluation.uuid}/robustness/")
    (found,) = client_for(mia).get(f"/api/v1/evaluations/{evaluation.uuid}/analyses/").json()

    first, second = NAMED[task]
    html = page.content.decode()
    assert f'<th scope="col" class="num">{first}</th><th scope="col" class="num">{second}</th>' in html
    assert [line["name"] for line in page.context["lines"]] == list(PROBES)
    assert [line["name"] for line in page.context["harmed"]] == ["typos"]
    (harm,) = page.context["harmed"]
    assert [f"{harm['change'][end]:.3f}" for end in ("least", "most")] == ["0.050", "0.200"]
    note = re.search(r'<div class="note warn"><strong>(.*?)</strong><p>(.*?)</p>', html)
    assert re.search(rf"{harm['title']}: {first} .*{harm['change']['loss']:.3f}", note[1])
    assert re.search(r"0\.050 to\s+0\.200", note[2])
    assert (found["uuid"], found["kind"], found["report"]) == (str(probed.uuid), "robustness", probed.report)
    assert bool(re.search(r"\b3 spans in\s+2 texts\b", html)) is (task == "spans")


def test_without_a_significant_change_the_page_has_a_note(measure, client_for, mia):
    evaluation = measure("multi_label")
    made_probes(evaluation, mia, [], harmed="")

    page = client_for(mia).get(f"/evaluations/{evaluation.uuid}/robustness/")

    assert page.context["harmed"] == []
    assert b'class="note warn"' not in page.content
    assert re.search(r'id="robustness"[^>]*><p>[^<]*Micro-F1[^<]*</p><section', page.content.decode())


def test_without_preferences_the_page_shows_not_measured(measure, client_for, mia):
    evaluation = measure("preference")
    probed = made_probes(evaluation, mia, [], harmed="")
    nothing = {
        "baseline": None,
        "candidate": None,
        "difference": None,
        "low": None,
        "high": None,
        "verdict": "unclear",
    }
    probed.report["probes"]["typos"]["change"]["pair_accuracy"] = nothing
    probed.report["probes"]["typos"].pop("pair_accuracy")
    with patch.object(robustness_page.queries, "analysis", lambda *given: probed):
        page = client_for(mia).get(f"/evaluations/{evaluation.uuid}/robustness/")

    (line,) = (each for each in page.context["lines"] if each["name"] == "typos")
    assert (page.status_code, line["change"]["verdict"], page.context["harmed"]) == (200, "", [])
    row = page.content.decode().partition('<th scope="row">Typos ')[2].partition("</tr>")[0]
    assert line["cells"][0]["value"] is None
    assert not re.search(r'data-l="change of [^"]+">[^<]*\d', row)


@pytest.mark.parametrize("task", TASKS)
def test_changed_predictions_are_described_and_link_to_the_item(task, measure, client_for, mia):
    evaluation = measure(task)
    first, second, *_ = items_of(evaluation)
    made_probes(evaluation, mia, [flip(task, first, after=0.75), flip(task, second, after=0.25)])

    page = client_for(mia).get(f"/evaluations/{evaluation.uuid}/robustness/", {"probe": "upper"})

    worst, other = page.context["flips"]
    assert (worst.flip.id, other.flip.id) == (second, first)
    item = Item.objects.get(dataset=evaluation.snapshot.dataset, digest=second)
    assert f'href="/datasets/items/{item.uuid}/"' in page.content.decode()
    text = worst.text[0]
    assert worst.disturbed[0] == disturb("upper", text, seed=1, name=second).text == text.upper()
    assert HEADS.get(task, "Text") in page.content.decode()
    if task in ("single_label", "multi_label", "spans"):
        assert worst.text == (item.text,)
    expected = {
        "single_label": (("card",), ("card",), ("refund",)),
        "multi_label": (("card",), ("card",), ("card", "refund")),
        "spans": ((f"“{text[:2].upper()}” thing",), (f"“{text[:2].upper()}” thing",), ()),
    }
    if task in expected:
        assert (worst.true, worst.before, worst.after) == expected[task]
    elif task in ("preference", "ranking"):
        row = snapshots.learned_rows_of(evaluation.snapshot, [second])[second]
        assert worst.text == (row["text"], *(f"{at}: {each}" for at, each in enumerate(row["responses"], 1)))
        again = disturb_responses("upper", row["responses"], seed=1, name=second)
        assert worst.disturbed[1:] == tuple(f"{at}: {each}" for at, each in enumerate(again, 1))
        assert (worst.true, worst.after) == ((EXAMPLES[task].flipped[0],), (EXAMPLES[task].flipped[2],))
    else:
        row = snapshots.learned_rows_of(evaluation.snapshot, [second])[second]
        assert text == (row["messages"][-2]["content"] if task == "chat" else row["text"])
        assert (worst.true, worst.before) == ((row["answer"],), ("as it was before",))
        assert ("nothing</span>" in page.content.decode()) is (task == "chat")


@pytest.mark.parametrize("task", TASKS)
def test_without_permission_neither_texts_nor_responses_are_shown(task, measure, client_for, mia, aida):
    evaluation = measure(task)
    made_probes(evaluation, mia, [flip(task, items_of(evaluation)[0])])

    page, mine = (
        client_for(person).get(f"/evaluations/{evaluation.uuid}/robustness/", {"probe": "upper"})
        for person in (aida, mia)
    )

    (line,) = page.context["flips"]
    assert (line.text, line.disturbed, page.context["may_read"]) == ((), (), False)
    assert f'title="sha256:{line.flip.id}"' in page.content.decode()
    written = task in ("generation", "chat")
    assert ["as it was before" in each.content.decode() for each in (mine, page)] == [written, False]
    if task == "spans":
        assert line.true == ("thing 0–2",)


@pytest.mark.parametrize("task", TASKS)
def test_the_query_count_does_not_depend_on_flips(
    task, measure, client_for, mia, django_assert_max_num_queries
):
    evaluation, client = measure(task), client_for(mia)
    items = items_of(evaluation)
    made_probes(evaluation, mia, [flip(task, items[0])] + [flip(task, item, "half") for item in items])
    address = f"/evaluations/{evaluation.uuid}/robustness/?probe="

    with django_assert_max_num_queries(40) as few:
        assert len(client.get(f"{address}upper").context["flips"]) == 1
    with django_assert_max_num_queries(len(few)):
        assert len(client.get(f"{address}half").context["flips"]) == min(30, len(items)) > 2
