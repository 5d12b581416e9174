"""Slices of an evaluation, by a metadata column or a fact of the texts."""

from __future__ import annotations

import re

import pytest
from sklearn.metrics import f1_score

from datasets_app.datasets.models import Item
from lifecycle.modeling.evaluation import queries, slices
from lifecycle.modeling.evaluation.models import Evaluation
from tests.support.evaluations import channelled, evaluated
from tests.support.training import make_run

HTMX = {"HTTP_HX_REQUEST": "true"}


def answer(item: Item, label: str) -> dict[str, float]:
    """Correct with 0.9, but every second phone call is predicted as card with 0.8."""
    wrong = item.metadata.get("channel") == "phone" and int(item.metadata["age"]) % 2
    return {"card": 0.8, "refund": 0.2} if wrong else {label: 0.9, ({"card", "refund"} - {label}).pop(): 0.1}


@pytest.fixture
def measured(project, mia) -> Evaluation:
    return evaluated(make_run(channelled(project, mia), mia, splits=()), "test", answer)


def asked(client_for, user, evaluation, **query):
    return client_for(user).get(f"/evaluations/{evaluation.uuid}/slices/", query)


def get_slices(client_for, user, evaluation, **query):
    return client_for(user).get(f"/api/v1/evaluations/{evaluation.uuid}/slices/", query).json()


def test_each_group_has_its_scores_and_the_worst_is_named_first(client_for, measured, mia):
    page = asked(client_for, mia, measured, column="metadata:channel")

    found = {group["name"]: group for group in page.context["report"]["groups"]}
    assert {name: group["rows"] for name, group in found.items()} == {
        "mail": 239,
        "phone": 120,
        "No value": 120,
        "app": 1,
    }
    assert [
        found[name]["scores"]["accuracy"] and found[name]["scores"]["accuracy"]["value"]
        for name in ("phone", "mail", "app")
    ] == [
        0.5,
        1.0,
        None,
    ]
    truth = [int(at % 2) for at in range(120)]
    assert found["phone"]["scores"]["macro_f1"]["value"] == pytest.approx(
        f1_score(truth, [0] * 120, average="macro")
    )
    assert (found["phone"]["difference"], found["phone"]["verdict"], found["app"]["verdict"]) == (
        -0.5,
        "worse",
        "insufficient",
    )
    content = page.content.decode()
    summary, least = page.context["report"]["summary"], page.context["report"]["least"]
    assert re.match(r"phone\b.*: accuracy 0\.500 \(", summary["fact"])
    assert 0 < content.index(summary["fact"]) < content.index('aria-label="Slices"')
    assert re.search(r"\b3 slices\b", summary["text"])
    assert (least, len(re.findall(rf'<td colspan="\d+" class="muted">[^<]*\b{least}\b', content))) == (20, 1)


def test_fairness_for_a_class_is_measured_between_large_slices(client_for, measured, mia):
    page = asked(client_for, mia, measured, column="metadata:channel", **{"label": "card"})

    values = {each["name"]: each["value"] for each in page.context["measures"]}
    assert values["demographic_parity_difference"] == pytest.approx(1 - 119 / 239)
    assert (values["equal_opportunity_difference"], values["equalized_odds_difference"]) == (0.0, 1.0)
    assert page.context["report"]["fairness"]["left_out"] == 1
    assert re.search(r"\b1 slice with fewer than\s+20 rows\b", page.content.decode())
    assert [
        each["name"] for each in page.context["measures"] if each["definition"] not in page.content.decode()
    ] == []


def test_the_api_returns_the_same(client_for, measured, mia):
    page = asked(client_for, mia, measured, column="metadata:channel", **{"label": "card"}).context["report"]

    found = get_slices(client_for, mia, measured, column="metadata:channel", **{"label": "card"})

    assert {"key": "metadata:age", "name": "age"} in found["columns"]
    assert [group["scores"] for group in found["groups"]] == [group["scores"] for group in page["groups"]]
    assert (found["fairness"], found["worst"], found["worse"]) == (
        page["fairness"],
        page["worst"],
        page["worse"],
    )
    assert (found["measures"], found["measure"], found["test"]) == (
        ["accuracy", "macro_f1"],
        "accuracy",
        "fisher",
    )
    assert get_slices(client_for, mia, measured)["groups"] is None


def test_invalid_parameters_are_refused(client_for, measured, mia):
    asked_for = (
        {"column": "secret"},
        {"column": "fact:length", "label": "zoo"},
        {"column": "fact:length", "measure": "macro_f1"},
    )
    column, label, measure = (get_slices(client_for, mia, measured, **each) for each in asked_for)

    assert column["fields"]["column"][0].startswith("Choose one of fact:length, fact:file, metadata:age")
    assert label["message"] == "The model doesn't know the label zoo."
    assert measure["message"].startswith("This evaluation can't be sliced by macro_f1.")
    assert measure["fields"]["measure"] == ["Choose one of accuracy."]
    page = asked(client_for, mia, measured, column="secret")
    assert (page.context["column"], "report" in page.context) == (None, False)
    assert page.content.count(b'class="empty"') == 1


def test_numbers_are_binned_and_text_facts_are_columns(client_for, measured, mia):
    ages, lengths, files = (
        get_slices(client_for, mia, measured, column=column)["groups"]
        for column in ("metadata:age", "fact:length", "fact:file")
    )

    assert [group["name"] for group in ages] == [
        "Up to 23",
        "Over 23 to 47",
        "Over 47 to 71",
        "Over 71 to 95",
        "Over 95",
    ]
    assert [group["rows"] for group in ages] == [96] * 5
    assert sum(group["rows"] for group in lengths) == 480
    assert [group["name"] for group in files] == ["rows.csv"]
    assert (files[0]["difference"], files[0]["verdict"]) == (None, "")


def test_the_rows_of_a_group_open_errors_first(client_for, measured, mia):
    groups = asked(client_for, mia, measured, column="metadata:channel").context["report"]["groups"]
    phone = next(group for group in groups if group["name"] == "phone")

    every, errors = (client_for(mia).get(phone["url"] + more) for more in ("", "&errors=1"))

    assert (every.context["total"], errors.context["total"], phone["wrong"]) == (120, 60, 60)
    assert {line.answer.predicted for line in every.context["lines"]} == {("card",)}
    assert '<td data-l="true">refund</td>' in errors.content.decode()
    texts = Item.objects.filter(metadata__channel="phone").values_list("text", flat=True)
    assert {line.text for line in errors.context["lines"]} < set(texts)
    following = client_for(mia).get(errors.request["PATH_INFO"] + errors.context["pager"]["next"])
    assert {line.answer.item for line in following.context["lines"]}.isdisjoint(
        line.answer.item for line in errors.context["lines"]
    )


def test_wide_metadata_offers_some_columns_and_truncates_long_values(client_for, measured, mia, monkeypatch):
    monkeypatch.setattr(slices, "COLUMNS", 1)
    offered = [column.name for column in asked(client_for, mia, measured).context["columns"]]
    monkeypatch.setattr(slices, "READ", 3)
    values = slices.values(
        measured, slices.Column("metadata:channel", "channel"), queries.grouped_of(measured).ids
    )

    assert offered[2:] == ["age"]
    assert {value for value in values if value} <= {"pho", "mai", "app", "web", "cha"}
    assert "pho" in values


@pytest.mark.parametrize(
    "query",
    ["", "?column=metadata:channel", "?column=metadata:channel&group=4", "?column=metadata:channel&group=²"],
)
def test_an_unknown_slice_is_404(client_for, measured, mia, query):
    assert client_for(mia).get(f"/evaluations/{measured.uuid}/slices/items/{query}").status_code == 404


def test_metadata_needs_permission_to_read_it(client_for, measured, mia, aida):
    page, mine = (asked(client_for, person, measured, column="metadata:channel") for person in (aida, mia))
    facts = get_slices(client_for, aida, measured, column="fact:length")

    assert [b'value="metadata:' in each.content for each in (page, mine)] == [False, True]
    assert [each.context["may_read"] for each in (page, mine)] == [False, True]
    assert page.context["column"] is None
    assert [column["key"] for column in facts["columns"]] == ["fact:length", "fact:file"]
    assert sum(group["rows"] for group in facts["groups"]) == 480
    rows = client_for(aida).get(f"/evaluations/{measured.uuid}/slices/items/?column=metadata:channel&group=0")
    assert rows.status_code == 404


def test_groups_are_read_from_the_items_once(client_for, measured, mia, django_assert_num_queries):
    client = client_for(mia)
    address = f"/evaluations/{measured.uuid}/slices/?column=metadata:channel"
    client.get(address)

    with django_assert_num_queries(7) as found:
        client.get(address + "&label=card")

    assert not any("json_each" in query["sql"] for query in found.captured_queries)


def test_the_table_is_a_fragment_and_a_page(client_for, measured, mia):
    url = f"/evaluations/{measured.uuid}/slices/?column=fact:length"

    assert b"<html" not in client_for(mia).get(url, **HTMX).content
    assert b"<html" in client_for(mia).get(url).content
