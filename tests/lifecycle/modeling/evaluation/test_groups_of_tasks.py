"""Slices of multi-label, span, generation, and ranking evaluations."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags
from scipy.stats import fisher_exact

from datasets_app.datasets.models import Item
from lifecycle.modeling.evaluation import queries
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.runtime.statistics import groups
from lifecycle.runtime.statistics.intervals import wilson
from tests.support.grouped import grouped_evaluation, is_wrong

TASKS = ("multi_label", "spans", "preference", "ranking", "generation")
# Scores of the 40 rows by phone, 20 of them wrong, in the order of the page.
PHONE = {
    "multi_label": {"subset_accuracy": 0.5, "micro_f1": 0.8},  # 40 of 60 labels, none extra
    "spans": {"micro_f1": 6 / 7, "exact_texts": 0.5},  # 60 of 80 spans, none extra
    "preference": {"pair_accuracy": 0.5, "best_first": 0.5},
    # one of three pairs per row is in the wrong order
    "ranking": {"pair_accuracy": 5 / 6, "best_first": 0.5},
    # the wrong rows have the contexts
    "generation": {"rouge_l": 0.5, "token_f1": 0.5, "exact_match": 0.5, "groundedness": 0.0},
}
SHARES = {"multi_label": "subset_accuracy", "spans": "exact_texts", "generation": "exact_match"}
COLUMN = "metadata:channel"


@pytest.fixture(params=TASKS)
def task(request):
    return request.param


@pytest.fixture
def of_each_task(project, mia):
    """The evaluation of every task, by task; a test starts with all of them, without copying their
    reports.
    """
    return {task: grouped_evaluation(project, mia, task).uuid for task in TASKS}


@pytest.fixture
def measured(task, of_each_task):
    return Evaluation.objects.get(uuid=of_each_task[task])


def get_slices(client, evaluation, **query):
    return client.get(f"/api/v1/evaluations/{evaluation.uuid}/slices/", {"column": COLUMN} | query).json()


def page_of(client, evaluation, **query):
    return client.get(f"/evaluations/{evaluation.uuid}/slices/", {"column": COLUMN} | query)


def named(report):
    return {group["name"]: group for group in report["groups"]}


def test_measures_over_all_rows_equal_the_report(measured):
    for name, each in queries.grouped_of(measured).quotients.items():
        assert each.above.sum() / each.below.sum() == pytest.approx(measured.report[name]), name


def test_a_slice_that_is_worse_than_the_rest_is_found(task, measured, client_for, mia):
    report = get_slices(client_for(mia), measured)

    found = named(report)
    assert {name: group["rows"] for name, group in found.items()} == {"mail": 60, "phone": 40, "app": 10}
    assert report["measures"] == list(PHONE[task])
    assert {name: score["value"] for name, score in found["phone"]["scores"].items()} == pytest.approx(
        PHONE[task]
    )
    assert {score["value"] for score in found["mail"]["scores"].values()} == {1.0}
    assert found["app"]["scores"] == dict.fromkeys(PHONE[task])
    assert {name: group["verdict"] for name, group in found.items()} == {
        "mail": "better",
        "phone": "worse",
        "app": "insufficient",
    }
    first = next(iter(PHONE[task]))
    assert (report["measure"], report["test"]) == (
        first,
        "fisher" if SHARES.get(task) == first else "permutation",
    )
    assert found["phone"]["difference"] == pytest.approx(PHONE[task][first] - 1)
    assert (
        found["phone"]["scores"][first]["low"] < PHONE[task][first] < found["phone"]["scores"][first]["high"]
    )
    assert (report["worst"], report["worse"], report["compared"]) == (
        found["phone"]["number"],
        [found["phone"]["number"]],
        2,
    )
    assert [found[name]["wrong"] for name in found] == ([None] * 3 if task == "generation" else [0, 20, 0])


def test_a_score_of_one_has_wilsons_interval(task, measured, client_for, mia):
    mail = named(get_slices(client_for(mia), measured))["mail"]["scores"]

    whole = {name: score for name, score in mail.items() if name != "groundedness"}
    assert {(score["low"], score["high"]) for score in whole.values()} == {wilson(60, 60)}
    if task == "generation":
        assert (mail["groundedness"]["low"], mail["groundedness"]["high"]) == wilson(30, 30)


def test_slices_are_compared_by_the_requested_measure(task, measured, client_for, mia):
    for name, value in PHONE[task].items():
        report = get_slices(client_for(mia), measured, measure=name)

        phone = named(report)["phone"]
        assert (report["measure"], phone["difference"]) == (name, pytest.approx(value - 1))
        if SHARES.get(task) == name:
            assert report["test"] == "fisher"
            assert phone["p"] == pytest.approx(2 * fisher_exact([[20, 20], [70, 0]]).pvalue)
    refused = get_slices(client_for(mia), measured, measure="ece")
    assert refused["fields"]["measure"] == [f"Choose one of {', '.join(PHONE[task])}."]


def test_the_page_starts_with_the_worst_slice_and_its_test(task, measured, client_for, mia):
    answer = page_of(client_for(mia), measured)

    page, report = answer.content.decode(), answer.context["report"]
    first = {
        "multi_label": "0.500",
        "spans": "0.857",
        "preference": "0.500",
        "ranking": "0.833",
        "generation": "0.500",
    }
    summary = get_slices(client_for(mia), measured)["summary"]
    assert re.match(rf"phone\b.* {re.escape(first[task])} \(", summary["fact"])
    assert 0 < page.index(summary["fact"]) < page.index('aria-label="Slices"')
    assert re.search(r"\b2 slices \(p", summary["text"])
    assert (summary["verdict"], summary["text"] in unescape(page)) == ("worse", True)
    fisher = SHARES.get(task) == next(iter(PHONE[task]))
    assert report["test"] == ("fisher" if fisher else "permutation")
    assert f" {answer.context['tested']}, " in unescape(page)
    small = [group["name"] for group in report["groups"] if group["rows"] < report["least"]]
    assert (small, page.count('<td colspan="')) == (["app"], 1)
    assert ('id="label" name="label"' in page) is (task == "multi_label")
    assert ('data-l="errors"' in page) is (task != "generation")
    assert "data-print" in page


def test_the_report_links_to_slices_and_for_labels_to_thresholds(task, measured, client_for, mia):
    page = client_for(mia).get(f"/evaluations/{measured.uuid}/").content.decode()

    assert f'href="/evaluations/{measured.uuid}/slices/"' in page
    assert ("/threshold/" in page) is (task in ("multi_label", "spans"))


def test_the_rows_of_a_group_open_the_worst_first(task, measured, client_for, mia):
    client = client_for(mia)
    shown = named(page_of(client, measured).context["report"])

    every, errors = (client.get(shown["phone"]["url"] + more) for more in ("", "&errors=1"))

    wrong = {
        item.digest for item in Item.objects.filter(dataset=measured.snapshot.dataset_id) if is_wrong(item)
    }
    assert every.context["total"] == 40
    assert set(digests(every)[:20]) == wrong
    assert set(digests(every)[20:]).isdisjoint(wrong)
    assert "card with refund" in strip_tags(every.content.decode())
    if task == "generation":
        assert errors.context["total"] == 40
        assert (every.context["lowest_by"], b"&amp;errors=1" in every.content) == ("ROUGE-L", False)
    else:
        assert (errors.context["total"], set(digests(errors))) == (20, wrong)
        assert 'name="item"' in every.content.decode()
        assert (
            f'id="pick" class="row gap-3" method="get" action="{every.context["pick_url"]}"'
            in every.content.decode()
        )
        assert every.context["lowest_by"] == ""
    following = client.get(every.request["PATH_INFO"] + every.context["pager"]["next"])
    assert len(digests(following)) == 10
    assert set(digests(following)).isdisjoint(digests(every))


def digests(page):
    return [line.item for line in page.context["lines"]]


def test_texts_are_hidden_from_roles_that_may_not_read_them(measured, client_for, mia, aida):
    client = client_for(aida)
    page = client.get(f"/evaluations/{measured.uuid}/slices/", {"column": "fact:file"})
    address = page.context["report"]["groups"][0]["url"]

    mine, theirs = (client_for(person).get(address) for person in (mia, aida))

    assert [each.context["may_read"] for each in (mine, theirs)] == [True, False]
    assert ["card with refund" in strip_tags(each.content.decode()) for each in (mine, theirs)] == [
        True,
        False,
    ]
    shown = theirs.content.decode()
    assert [each for each in digests(theirs) if f'title="sha256:{each}"' not in shown] == []
    assert (
        client.get(f"/evaluations/{measured.uuid}/slices/items/?column={COLUMN}&group=0").status_code == 404
    )


def test_the_query_count_grows_neither_with_slices_nor_with_rows(measured, client_for, mia):
    client, counted = client_for(mia), {}
    shown, rows = (f"/evaluations/{measured.uuid}/slices/{path}?column=" for path in ("", "items/"))
    for column in (COLUMN, "fact:file"):  # slices are cached for an hour
        client.get(shown + column)
    urls = {
        "three": shown + COLUMN,
        "one": f"{shown}fact:file",
        "mail": f"{rows}{COLUMN}&group=0",
        "app": f"{rows}{COLUMN}&group=2",
    }
    for name, url in urls.items():
        with CaptureQueriesContext(connection) as captured:
            assert client.get(url).status_code == 200
        counted[name] = len(captured)

    assert counted["mail"] == counted["app"]
    assert counted["three"] == counted["one"] == 7


@pytest.mark.postgres
@pytest.mark.parametrize("task", ["multi_label"])
def test_multi_label_fairness_is_measured_per_class(measured, mia, client_for):
    found = get_slices(client_for(mia), measured, **{"label": "refund"})["fairness"]

    rates = {
        each["number"]: (each["selection"], each["true_positive"], each["false_positive"])
        for each in found["rates"]
    }
    assert rates == {0: (0.5, 1.0, 0.0), 1: (0.0, 0.0, 0.0)}
    values = {each["name"]: each["value"] for each in found["measures"]}
    assert values == {
        "demographic_parity_difference": 0.5,
        "equal_opportunity_difference": 1.0,
        "equalized_odds_difference": 1.0,
    }
    card = named(get_slices(client_for(mia), measured, **{"label": "card"}))
    assert card["phone"]["verdict"] == "worse"


@pytest.mark.parametrize("task", ["spans"])
def test_fairness_is_refused_for_rows_without_labels(measured, mia, client_for):
    refused = get_slices(client_for(mia), measured, **{"label": "thing"})

    assert refused["message"].startswith("The model doesn't know the label thing.")


@pytest.mark.parametrize("task", ["generation"])
def test_rows_without_a_context_do_not_count_for_groundedness(measured, mia, client_for, monkeypatch):
    # 20 of the 40 rows by phone have a context, 30 of those by mail, 5 in the app
    monkeypatch.setattr(groups, "LEAST", 26)

    report = get_slices(client_for(mia), measured, measure="groundedness")
    page = page_of(client_for(mia), measured, measure="groundedness").content.decode()

    found = named(report)
    assert [(found[name]["counted"], found[name]["verdict"]) for name in ("mail", "phone")] == [
        (30, ""),
        (20, "insufficient"),
    ]
    assert found["phone"]["scores"]["groundedness"] is None
    assert found["phone"]["scores"]["rouge_l"]["value"] == 0.5
    assert found["mail"]["difference"] is None is found["mail"]["p"]
    assert (report["worst"], report["worse"], report["compared"], report["summary"]) == (None, [], 0, None)
    assert re.search(r"\b20\s+rows\s+measured\b", page)
    assert ('class="note warn"' in page, 'class="note info"' in page) == (False, False)
    assert b'class="note warn"' in page_of(client_for(mia), measured).content  # by ROUGE-L
    by_rouge = named(get_slices(client_for(mia), measured))
    assert by_rouge["phone"]["verdict"] == "worse"


@pytest.mark.parametrize("task", ["multi_label"])
def test_a_group_whose_rest_is_too_small_gets_no_verdict(measured, mia, client_for, monkeypatch):
    monkeypatch.setattr(groups, "LEAST", 55)  # the 60 rows by mail leave a rest of 50

    page = page_of(client_for(mia), measured)

    mail = named(page.context["report"])["mail"]
    assert (mail["verdict"], mail["difference"], mail["scores"]["subset_accuracy"]["value"]) == (
        "",
        None,
        1.0,
    )
    row = page.content.decode().partition('<th scope="row">mail</th>')[2].partition("</tr>")[0]
    assert re.search(r'<td><span class="muted">[^<]+</span></td>$', row)
    assert "st " not in row
