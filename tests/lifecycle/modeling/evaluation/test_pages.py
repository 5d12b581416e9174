"""Pages of evaluations and the comparison of two."""

from __future__ import annotations

import pytest
from django.utils import timezone

from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation import actions, pages, queries
from lifecycle.modeling.evaluation.models import Evaluation
from tests.support.training import make_run

HTMX = {"HTTP_HX_REQUEST": "true"}


def test_an_evaluation_shows_its_metrics_with_intervals_and_links_each_cell_to_its_rows(
    client_for, measured, mia
):
    answer = client_for(mia).get(f"/evaluations/{measured.uuid}/")

    page, report = answer.content.decode(), measured.report
    low = report["intervals"]["macro_f1"]["low"]
    assert f"{report['macro_f1']:.3f}" in page
    assert f"{low:.3f} to" in page
    assert 'class="matrix"' in page
    assert f"/evaluations/{measured.uuid}/items/?true=card&amp;predicted=" in page
    assert [row["name"] for row in answer.context["baselines"] if row["name"] not in page] == []
    assert len(answer.context["baselines"]) > 1


@pytest.mark.postgres
def test_a_split_being_evaluated_is_shown_and_loaded_next_to_the_finished_one(client_for, snapshot, mia):
    run = make_run(snapshot, mia, splits=("validation",))
    job = actions.evaluate(run=run, split="test", actor=mia)
    url = f"/evaluations/run/{run.uuid}/"
    client = client_for(mia)

    answer = client.get(url, **HTMX)

    page, finished = answer.content.decode(), run.evaluations.get()
    assert (answer.context["shown"], answer.context["pending"]) == (finished, job)
    assert f"/evaluations/{finished.uuid}/" in page
    assert f'hx-get="{url}" hx-trigger="job-ended from:body" hx-target="#evaluation"' in page
    assert f'id="job-{job.uuid}"' in page
    assert 'name="split"' not in page
    Job.objects.filter(pk=job.pk).update(
        state="failed", error="The base is gone.", next_step="Fetch it again.", finished_at=timezone.now()
    )
    page = client.get(url, **HTMX).content.decode()
    assert "job-ended" not in page
    assert (
        page.index(f"/evaluations/{finished.uuid}/")
        < page.index("The base is gone.")
        < page.index('name="split" value="test"')
    )


def test_a_stranger_gets_404(client_for, measured, otto):
    client = client_for(otto)

    assert client.get(f"/evaluations/{measured.uuid}/").status_code == 404
    assert client.get(f"/evaluations/{measured.uuid}/items/").status_code == 404
    assert client.get(f"/evaluations/run/{measured.run.uuid}/").status_code == 404
    assert (
        client.post(f"/evaluations/run/{measured.run.uuid}/evaluate/", {"split": "test"}).status_code == 404
    )
    assert str(measured.uuid) not in client.get("/evaluations/").content.decode()


def test_the_part_for_the_run_page_is_a_fragment_and_a_page(client_for, measured, mia):
    url = f"/evaluations/run/{measured.run.uuid}/"

    assert b"<html" not in client_for(mia).get(url, **HTMX).content
    assert b"<html" in client_for(mia).get(url).content


def test_all_classes_and_sorting_are_links(client_for, measured, mia):
    client = client_for(mia)
    pages = [
        client.get(f"/evaluations/{measured.uuid}/{query}").content.decode()
        for query in ("?classes=all&sort=label", "")
    ]

    sorted_by_label = 'aria-sort="ascending"><a href="?sort=label#classes"'
    assert [(sorted_by_label in page, 'class="matrix"' in page) for page in pages] == [
        (True, False),
        (False, True),
    ]


def test_a_comparison_with_a_hidden_evaluation_shows_nothing_of_it(client_for, run, mia, otto):
    a = queries.latest_evaluation(run, "test")

    address = f"/evaluations/compare/?a={a.uuid}&b={a.uuid}"
    theirs, mine = (client_for(person).get(address) for person in (otto, mia))

    assert [(len(each.context["all"]), each.context["a"]) for each in (theirs, mine)] == [(0, None), (2, a)]
    assert [str(run) in each.content.decode() for each in (theirs, mine)] == [False, True]
    assert theirs.content.count(b'class="empty"') == 1


@pytest.fixture
def runs(snapshot, mia) -> list[Evaluation]:
    """The test evaluations of four runs, oldest first."""
    return [
        queries.latest_evaluation(make_run(snapshot, mia, splits=("test",), seed=seed), "test")
        for seed in range(1, 5)
    ]


def test_the_list_and_the_api_read_only_what_they_show(client_for, runs, mia):
    client = client_for(mia)

    lines = client.get("/evaluations/").context["lines"]
    rows = client.get("/api/v1/evaluations/").json()["results"]

    assert [line["row"].uuid for line in lines] == [each.uuid for each in runs[::-1]]
    assert {name for line in lines for name in line["row"].get_deferred_fields()} == {"report"}
    for line, row, each in zip(lines, rows, runs[::-1], strict=True):
        score = line["score"]
        assert (score["value"], score["low"], score["high"]) == (
            each.report["macro_f1"],
            *each.report["intervals"]["macro_f1"].values(),
        )
        assert (row["macro_f1"], row["accuracy"], row["ece"], row["rouge_l"]) == (
            each.report["macro_f1"],
            each.report["accuracy"],
            each.report["ece"],
            None,
        )


@pytest.fixture
def four(runs, monkeypatch) -> list[Evaluation]:
    """Four evaluations, with a picker that shows two."""
    monkeypatch.setattr(pages, "LISTED", 2)
    return runs


def test_evaluations_missing_from_the_picker_are_compared_by_url(
    client_for, four, mia, django_assert_num_queries
):
    with django_assert_num_queries(3):
        page = pages.comparison(mia, {"a": str(four[0].uuid)})
    assert [each.uuid for each in page["all"]] == [four[3].uuid, four[2].uuid, four[0].uuid]
    assert [each.uuid for each in page["others"]] == [four[3].uuid, four[2].uuid]
    assert (page["a"], page["b"]) == (four[0], None)
    page = client_for(mia).get(f"/evaluations/compare/?a={four[0].uuid}&b={four[1].uuid}")
    assert [each.uuid for each in page.context["others"]] == [four[3].uuid, four[2].uuid, four[1].uuid]
    assert (page.context["a"], page.context["b"]) == (four[0], four[1])
    assert f"{four[1].run} against {four[0].run}" in page.content.decode()


def test_a_run_missing_from_the_picker_is_found_by_its_newest_test_evaluation(client_for, four, mia):
    context = client_for(mia).get(f"/evaluations/compare/?run={four[0].run.uuid}").context

    assert (context["a"], context["b"]) == (four[0], None)


@pytest.mark.parametrize("given", ["a=none", "a=", "run=1", "b=2", ""])
def test_an_invalid_uuid_selects_nothing(client_for, four, mia, given):
    context = client_for(mia).get(f"/evaluations/compare/?{given}").context

    assert (context["a"], context["b"], context["others"]) == (None, None, [])
    assert [each.uuid for each in context["all"]] == [four[3].uuid, four[2].uuid]


def test_an_old_evaluation_stays_hidden_from_a_stranger_with_its_url(four, otto):
    assert pages.comparison(otto, {"a": str(four[0].uuid)}) == {"all": [], "others": [], "a": None, "b": None}
