"""The list of rules, the editor with its preview, and the same over REST."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from datasets_app.assist.actions.suggesting import write_rule
from datasets_app.assist.matching import matcher
from datasets_app.assist.models import Rule
from datasets_app.assist.queries import suggesting
from datasets_app.datasets.models import Dataset, Item
from datasets_app.prelabels.models import Suggestion
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema
from lifecycle.ground.jobs.models import Job
from lifecycle.ui.numbers import percent
from tests.support.jobs import run_ok
from tests.support.labeling import add_items, decided_dataset, make_dataset, make_schema

pytestmark = pytest.mark.django_db
ROWS = (
    [(f"my card {n}", "card") for n in range(18)]
    + [(f"card bill {n}", "billing") for n in range(6)]
    + [("a bill", "billing")]
)


@pytest.fixture
def dataset(project, mia, ana) -> Dataset:
    return decided_dataset(project, ana, ROWS, manager=mia)


def stable_id(dataset, name):
    return labels_by_name(latest_schema(dataset))[name].stable_id


def write(dataset, actor, pattern="card", label="card", **options) -> Rule:
    options = {"name": f"{label} by {pattern}", "kind": "words"} | options
    return write_rule(
        dataset_id=dataset.uuid, actor=actor, label=stable_id(dataset, label), pattern=pattern, **options
    )


def preview_url(dataset):
    return reverse("assist:preview_rule", args=[dataset.uuid])


def sent(dataset, pattern="card", label="card", **more):
    return {
        "kind": "words",
        "pattern": pattern,
        "mode": "any",
        "label": str(stable_id(dataset, label)),
        "name": "",
    } | more


def test_the_preview_shows_matches_and_precision(dataset, mia, client_for):
    measured = client_for(mia).post(preview_url(dataset), sent(dataset)).context["preview"].measured
    answer = client_for(mia).post(preview_url(dataset), sent(dataset), headers={"HX-Request": "true"})

    assert (measured.items, measured.hits, measured.decided, measured.right) == (25, 24, 24, 18)
    assert (measured.precision, [round(end, 3) for end in measured.interval]) == (0.75, [0.551, 0.88])
    page = answer.content.decode()
    assert (
        answer.status_code,
        page.lstrip().startswith('<section id="preview"'),
        page.count("<mark>card</mark>"),
    ) == (200, True, 10)
    assert "in a sample of 25 items" in page
    assert (Rule.objects.count(), Suggestion.objects.count()) == (0, 0)


def test_below_twenty_labeled_matches_there_is_no_precision(dataset, mia, client_for):
    page = (
        client_for(mia)
        .post(preview_url(dataset), sent(dataset, "bill", "billing"), headers={"HX-Request": "true"})
        .content.decode()
    )

    assert "7 matches" in " ".join(page.split())
    assert "Too few for the precision: 7 of 20" in page


def test_without_a_class_hits_are_shown_alone(dataset, mia, client_for):
    page = (
        client_for(mia)
        .post(preview_url(dataset), sent(dataset) | {"label": ""}, headers={"HX-Request": "true"})
        .content.decode()
    )

    assert "24 matches" in " ".join(page.split())
    assert "Choose a label to see the precision." in page


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(", "Invalid expression: missing )"),
        ("(a{900}){9}", "invalid repetition"),
        ("a*", "matches the empty text"),
    ],
)
def test_an_invalid_pattern_is_reported_while_typing(dataset, mia, pattern, text, client_for):
    data = sent(dataset, pattern, kind="regex")
    answer = client_for(mia).post(preview_url(dataset), data, headers={"HX-Request": "true"})

    assert (answer.status_code, text in answer.content.decode()) == (422, True)


def test_without_javascript_the_preview_is_the_page_with_what_was_typed(dataset, mia, client_for):
    page = client_for(mia).post(preview_url(dataset), sent(dataset, name="Half a name")).content.decode()

    assert "<h1>New labeling function</h1>" in page
    assert 'value="Half a name"' in page
    assert "24 matches" in " ".join(page.split())
    assert "aria-invalid" not in page


def test_a_lead_who_reads_no_samples_sees_numbers_alone(dataset, lee, client_for):
    page = (
        client_for(lee)
        .post(preview_url(dataset), sent(dataset), headers={"HX-Request": "true"})
        .content.decode()
    )

    assert "24 matches" in " ".join(page.split())
    assert "Your role can't view texts." in page
    assert "<mark>" not in page


def test_the_preview_takes_the_same_statements_for_few_and_many_items(project, mia, client_for):
    dataset = make_dataset(project, mia, ["card 0"])
    make_schema(dataset, mia)
    taken = []
    for rows in (0, 400):
        add_items(dataset, mia, [f"card {rows} {n}" for n in range(rows)])
        with CaptureQueriesContext(connection) as statements:
            client_for(mia).post(preview_url(dataset), sent(dataset), headers={"HX-Request": "true"})
        taken.append(len(statements))

    assert taken[0] == taken[1]


@pytest.mark.postgres
def test_a_large_dataset_is_sampled_from_places_all_over_it(project, mia, monkeypatch):
    monkeypatch.setattr(suggesting, "SAMPLE", 600)
    dataset = make_dataset(project, mia, [f"card {n}" for n in range(1_200)])
    make_schema(dataset, mia)
    with CaptureQueriesContext(connection) as statements:
        found = suggesting.sample(dataset)

    last = Item.objects.latest("id")
    assert (len(found), len({row.key for row in found})) == (600, 600)
    assert found[-1].key > last.pk - 60
    # hidden, ends, places, decisions of 500 each, queues
    assert len(statements) == 2 + suggesting.BLOCKS + 2 + 1


def test_a_preview_ends_at_its_deadline_and_reports_it(dataset):
    found = suggesting.preview(dataset, matcher("words", "card", "any"), None, seconds=-1)

    assert (found.stopped, found.measured.items) == (True, 0)


def test_newly_decided_items_count_for_the_precision_of_a_large_dataset_but_not_for_its_hits(
    dataset, monkeypatch
):
    monkeypatch.setattr(suggesting, "SAMPLE", 20)

    measured = suggesting.preview(
        dataset, matcher("words", "card", "any"), stable_id(dataset, "card")
    ).measured

    assert (measured.items, measured.decided, measured.right) == (20, 24, 18)


@pytest.mark.postgres
def test_a_rule_is_written_by_the_form(dataset, mia, client_for):
    url = reverse("assist:write_rule", args=[dataset.uuid])
    answer = client_for(mia).post(url, sent(dataset, "Card\n card ", name="Cards"), follow=True)

    rule = Rule.objects.get()
    assert (rule.name, rule.pattern, rule.kind, rule.mode, rule.created_by) == (
        "Cards",
        "Card",
        "words",
        "any",
        mia,
    )
    assert answer.request["PATH_INFO"] == reverse("assist:rules", args=[dataset.uuid])
    assert "Cards, version 1, saved" in answer.content.decode()


def test_a_refused_rule_is_a_field_error(dataset, mia, client_for):
    url = reverse("assist:write_rule", args=[dataset.uuid])

    answer = client_for(mia).post(url, sent(dataset, "(", name="Cards", kind="regex"))

    assert (answer.status_code, "pattern" in answer.context["form"].errors, Rule.objects.count()) == (
        422,
        True,
        0,
    )


def test_the_next_version_is_written_on_the_rules_page_and_a_stale_one_is_not(dataset, mia, client_for):
    rule = write(dataset, mia)
    url = reverse("assist:rule", args=[rule.uuid])
    data = sent(dataset, "plastic", name="Cards", changes=str(rule.uuid))

    assert client_for(mia).post(url, data).status_code == 302
    answer = client_for(mia).post(url, data)

    assert (answer.status_code, b"was changed while you were editing" in answer.content) == (409, True)
    assert list(Rule.objects.order_by("version").values_list("version", "pattern")) == [
        (1, "card"),
        (2, "plastic"),
    ]


def test_the_list_shows_hits_precision_and_conflicts(dataset, mia, ana, client_for):
    write(dataset, mia, name="Cards")
    write(dataset, mia, "bill", "billing", name="Bills")
    url = reverse("assist:rules", args=[dataset.uuid])

    answer = client_for(ana).get(url)

    lines = {line["rule"].name: line["measured"] for line in answer.context["lines"]}
    assert [(each.hits, each.decided, each.right) for each in lines.values()] == [(24, 24, 18), (7, 7, 7)]
    assert [(one.name, other.name, items) for one, other, items in answer.context["findings"].conflicts] == [
        ("Cards", "Bills", 6)
    ]
    page = answer.content.decode()
    assert "too few: 7 of 20" in page
    assert f"[{percent(0.551, 1)}, {percent(0.88, 1)}], n = 24" in page
    assert "Create labeling function" not in page


@pytest.mark.postgres
def test_the_list_shows_unread_items_and_applies_rules(dataset, mia, client_for):
    write(dataset, mia)
    url = reverse("assist:rules", args=[dataset.uuid])
    client = client_for(mia)
    assert b"Apply to 25 items" in client.get(url).content

    client.post(reverse("assist:apply_rules", args=[dataset.uuid]))
    assert b'hx-trigger="job-ended from:body"' in client.get(url).content
    run_ok()

    page = client.get(url).content.decode()
    assert "24 of 25" in page
    assert 'aria-disabled="true" title="Every function has been applied to every item"' in page


@pytest.mark.postgres
def test_a_rule_is_retired_by_its_dialog(dataset, mia, client_for):
    rule = write(dataset, mia, name="Cards")
    client = client_for(mia)
    assert b"Retire this labeling function?" in client.get(reverse("assist:rule", args=[rule.uuid])).content

    page = client.post(reverse("assist:retire_rule", args=[rule.uuid]), follow=True).content.decode()

    assert "Cards retired" in page
    assert "<h2>Retired</h2>" in page
    assert (
        '<form method="post" class="stack'
        not in client.get(reverse("assist:rule", args=[rule.uuid])).content.decode()
    )


def test_the_list_takes_the_same_statements_for_one_and_many_rules(dataset, mia, client_for):
    client, taken = client_for(mia), []
    for rows in (1, 9):
        for n in range(rows):
            write(dataset, mia, f"card {rows} {n}", name=f"Rule {rows} {n}")
        with CaptureQueriesContext(connection) as statements:
            assert client.get(reverse("assist:rules", args=[dataset.uuid])).status_code == 200
        taken.append(len(statements))

    assert taken[0] == taken[1]


def test_the_page_of_a_rule_takes_the_same_statements_for_one_and_many_versions(dataset, mia, client_for):
    client, taken = client_for(mia), []
    rule = write(dataset, mia)
    for rows in (0, 9):
        for n in range(rows):
            rule = write(dataset, mia, f"card {n}", name="Cards", changes=rule.uuid)
        with CaptureQueriesContext(connection) as statements:
            assert client.get(reverse("assist:rule", args=[rule.uuid])).status_code == 200
        taken.append(len(statements))

    assert taken[0] == taken[1]


@pytest.mark.parametrize(("name", "status"), [("ana", 403), ("gita", 403), ("omar", 403), ("otto", 404)])
def test_who_may_not_manage_changes_and_tries_nothing(dataset, mia, request, name, status, client_for):
    rule = write(dataset, mia)
    client = client_for(request.getfixturevalue(name))

    for url in ("write_rule", "preview_rule", "apply_rules"):
        assert (
            client.post(reverse(f"assist:{url}", args=[dataset.uuid]), sent(dataset, name="x")).status_code
            == status
        )
    for url in ("rule", "retire_rule"):
        assert (
            client.post(reverse(f"assist:{url}", args=[rule.uuid]), sent(dataset, name="x")).status_code
            == status
        )
    assert (Rule.objects.count(), Job.objects.filter(kind=suggesting.APPLY).count()) == (1, 0)


@pytest.mark.postgres
def test_rules_over_rest(dataset, mia, client_for):
    client = client_for(mia)
    base = f"/api/v1/labeling/datasets/{dataset.uuid}/functions/"
    pattern = {"kind": "words", "pattern": "card", "label": str(stable_id(dataset, "card"))}

    tried = client.post(f"{base}preview/", pattern, content_type="application/json").json()
    assert (tried["measured"]["hits"], tried["measured"]["precision"], len(tried["examples"])) == (
        24,
        0.75,
        10,
    )
    assert tried["examples"][0]["text"] == "my card 0"
    bad = client.post(
        f"{base}preview/", pattern | {"kind": "regex", "pattern": "("}, content_type="application/json"
    )
    assert (bad.status_code, bad.json()["fields"]) == (
        422,
        {"pattern": ["Invalid expression: missing ): (."]},
    )

    made = client.post(base, pattern | {"name": "Cards"}, content_type="application/json").json()
    changed = client.post(
        base,
        pattern | {"name": "Cards", "pattern": "my", "changes": made["uuid"]},
        content_type="application/json",
    ).json()
    assert (made["version"], changed["version"], made["rule"]) == (1, 2, changed["rule"])
    assert [rule["uuid"] for rule in client.get(base).json()] == [changed["uuid"]]
    assert client.post(f"{base}apply/").status_code == 202
    run_ok()
    assert Suggestion.objects.filter(source_digest=changed["digest"]).count() == 18

    assert client.post(f"/api/v1/labeling/functions/{changed['uuid']}/retire/").json()["retired"] is True
    assert client.get(base).json() == []
