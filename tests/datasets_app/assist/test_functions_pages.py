"""The list of functions, the editor with its preview, and the same over REST."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from datasets_app.assist.actions.suggesting import write_function
from datasets_app.assist.matching import matcher
from datasets_app.assist.models import LabelingFunction
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


def write(dataset, actor, pattern="card", label="card", **options) -> LabelingFunction:
    options = {"name": f"{label} by {pattern}", "kind": "words"} | options
    return write_function(
        dataset_id=dataset.uuid, actor=actor, label=stable_id(dataset, label), pattern=pattern, **options
    )


def preview_url(dataset):
    return reverse("assist:preview_function", args=[dataset.uuid])


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

    assert (measured.items, measured.matches, measured.labeled, measured.right) == (25, 24, 24, 18)
    assert (measured.precision, [round(end, 3) for end in measured.interval]) == (0.75, [0.551, 0.88])
    page = answer.content.decode()
    assert (
        answer.status_code,
        page.lstrip().startswith('<section id="preview"'),
        page.count("<mark>card</mark>"),
    ) == (200, True, 10)
    assert 'data-count="25"' in page
    assert (LabelingFunction.objects.count(), Suggestion.objects.count()) == (0, 0)


def test_below_twenty_labeled_matches_there_is_no_precision(dataset, mia, client_for):
    page = (
        client_for(mia)
        .post(preview_url(dataset), sent(dataset, "bill", "billing"), headers={"HX-Request": "true"})
        .content.decode()
    )

    assert 'data-matches="7"' in page
    assert 'data-labeled="7"' in page
    assert 'data-precision="few"' in page


def test_without_a_class_hits_are_shown_alone(dataset, mia, client_for):
    client, htmx = client_for(mia), {"HX-Request": "true"}
    page = client.post(preview_url(dataset), sent(dataset) | {"label": ""}, headers=htmx).content.decode()

    assert 'data-matches="24"' in page
    assert 'data-precision="no-label"' in page
    labeled = client.post(preview_url(dataset), sent(dataset), headers=htmx).content.decode()
    assert 'data-precision="measured"' in labeled


@pytest.mark.parametrize("pattern", ["(", "(a{900}){9}", "a*"])
def test_an_invalid_pattern_is_reported_while_typing(dataset, mia, pattern, client_for):
    data = sent(dataset, pattern, kind="regex")
    answer = client_for(mia).post(preview_url(dataset), data, headers={"HX-Request": "true"})

    refused = client_for(mia).post(preview_url(dataset), data).context["refused"]
    assert (answer.status_code, list(refused.fields)) == (422, ["pattern"])
    assert escape(refused.message) in answer.content.decode()
    assert "data-matches" not in answer.content.decode()


def test_without_javascript_the_preview_is_the_page_with_what_was_typed(dataset, mia, client_for):
    page = client_for(mia).post(preview_url(dataset), sent(dataset, name="Half a name")).content.decode()

    assert f'action="{reverse("assist:write_function", args=[dataset.uuid])}"' in page
    assert 'value="Half a name"' in page
    assert 'data-matches="24"' in page
    assert "aria-invalid" not in page


def test_a_lead_who_reads_no_samples_sees_numbers_alone(dataset, lee, mia, client_for):
    page, of_a_reader = (
        client_for(person)
        .post(preview_url(dataset), sent(dataset), headers={"HX-Request": "true"})
        .content.decode()
        for person in (lee, mia)
    )

    assert 'data-matches="24"' in page
    assert ('data-texts="hidden"' in page, "<mark>" in page) == (True, False)
    assert ('data-texts="hidden"' in of_a_reader, "<mark>" in of_a_reader) == (False, True)


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

    assert (measured.items, measured.labeled, measured.right) == (20, 24, 18)


@pytest.mark.postgres
def test_a_rule_is_written_by_the_form(dataset, mia, client_for):
    url = reverse("assist:write_function", args=[dataset.uuid])
    answer = client_for(mia).post(url, sent(dataset, "Card\n card ", name="Cards"), follow=True)

    function = LabelingFunction.objects.get()
    assert (function.name, function.pattern, function.kind, function.mode, function.created_by) == (
        "Cards",
        "Card",
        "words",
        "any",
        mia,
    )
    assert answer.request["PATH_INFO"] == reverse("assist:functions", args=[dataset.uuid])
    shown = answer.content.decode()
    assert shown.count("data-toast>") == 1
    assert f'href="{reverse("assist:function", args=[function.uuid])}"' in shown


def test_a_refused_rule_is_a_field_error(dataset, mia, client_for):
    url = reverse("assist:write_function", args=[dataset.uuid])

    answer = client_for(mia).post(url, sent(dataset, "(", name="Cards", kind="regex"))

    assert (answer.status_code, list(answer.context["form"].errors), LabelingFunction.objects.count()) == (
        422,
        ["pattern"],
        0,
    )
    assert answer.content.decode().count('aria-invalid="true"') == 1


def test_the_next_version_is_written_on_the_rules_page_and_a_stale_one_is_not(dataset, mia, client_for):
    function = write(dataset, mia)
    url = reverse("assist:function", args=[function.uuid])
    data = sent(dataset, "plastic", name="Cards", changes=str(function.uuid))

    assert client_for(mia).post(url, data).status_code == 302
    answer = client_for(mia).post(url, data)

    assert answer.status_code == 409
    assert list(LabelingFunction.objects.order_by("version").values_list("version", "pattern")) == [
        (1, "card"),
        (2, "plastic"),
    ]


def test_the_list_shows_hits_precision_and_conflicts(dataset, mia, ana, client_for):
    write(dataset, mia, name="Cards")
    write(dataset, mia, "bill", "billing", name="Bills")
    url = reverse("assist:functions", args=[dataset.uuid])

    answer, of_a_manager = client_for(ana).get(url), client_for(mia).get(url).content.decode()

    lines = {line["function"].name: line["measured"] for line in answer.context["lines"]}
    assert [(each.matches, each.labeled, each.right) for each in lines.values()] == [(24, 24, 18), (7, 7, 7)]
    assert [(one.name, other.name, items) for one, other, items in answer.context["findings"].conflicts] == [
        ("Cards", "Bills", 6)
    ]
    page = answer.content.decode()
    assert [each.few for each in lines.values()] == [False, True]
    assert page.count('data-state="few"') == 1
    assert 'id="conflicts"' in page
    assert f"[{percent(0.551, 1)}, {percent(0.88, 1)}], n = 24" in page
    create = f'href="{reverse("assist:write_function", args=[dataset.uuid])}"'
    assert (create in page, create in of_a_manager) == (False, True)


@pytest.mark.postgres
def test_the_list_shows_unread_items_and_applies_rules(dataset, mia, client_for):
    write(dataset, mia)
    url = reverse("assist:functions", args=[dataset.uuid])
    client = client_for(mia)
    disabled = b'type="button" aria-disabled="true"'
    waiting = client.get(url)
    assert (waiting.context["unread"], disabled in waiting.content) == (25, False)

    apply_url = reverse("assist:apply_functions", args=[dataset.uuid])
    assert f'action="{apply_url}"'.encode() in waiting.content
    client.post(apply_url)
    assert b'hx-trigger="job-ended from:body"' in client.get(url).content
    run_ok()

    applied = client.get(url)
    reach = applied.context["lines"][0]["reach"]
    assert (reach.hits, reach.items, applied.context["unread"]) == (24, 25, 0)
    assert disabled in applied.content


@pytest.mark.postgres
def test_a_rule_is_retired_by_its_dialog(dataset, mia, client_for):
    function = write(dataset, mia, name="Cards")
    client, retire_url = client_for(mia), reverse("assist:retire_function", args=[function.uuid])
    editor = f'hx-post="{preview_url(dataset)}"'
    before = client.get(reverse("assist:function", args=[function.uuid])).content.decode()
    assert f'action="{retire_url}"' in before
    assert editor in before

    answer = client.post(retire_url, follow=True)

    (retired,) = answer.context["retired"]
    assert (retired.name, retired.retired, answer.context["lines"]) == ("Cards", True, [])
    assert answer.content.decode().count("data-toast>") == 1
    assert 'id="retired"' in answer.content.decode()
    for version in (function, retired):
        after = client.get(reverse("assist:function", args=[version.uuid]))
        assert (after.status_code, editor in after.content.decode()) == (200, False)


def test_the_list_takes_the_same_statements_for_one_and_many_rules(dataset, mia, client_for):
    client, taken = client_for(mia), []
    for rows in (1, 9):
        for n in range(rows):
            write(dataset, mia, f"card {rows} {n}", name=f"LabelingFunction {rows} {n}")
        with CaptureQueriesContext(connection) as statements:
            assert client.get(reverse("assist:functions", args=[dataset.uuid])).status_code == 200
        taken.append(len(statements))

    assert taken[0] == taken[1]


def test_the_page_of_a_rule_takes_the_same_statements_for_one_and_many_versions(dataset, mia, client_for):
    client, taken = client_for(mia), []
    function = write(dataset, mia)
    for rows in (0, 9):
        for n in range(rows):
            function = write(dataset, mia, f"card {n}", name="Cards", changes=function.uuid)
        with CaptureQueriesContext(connection) as statements:
            assert client.get(reverse("assist:function", args=[function.uuid])).status_code == 200
        taken.append(len(statements))

    assert taken[0] == taken[1]


@pytest.mark.parametrize(("name", "status"), [("ana", 403), ("gita", 403), ("omar", 403), ("otto", 404)])
def test_who_may_not_manage_changes_and_tries_nothing(dataset, mia, request, name, status, client_for):
    function = write(dataset, mia)
    client = client_for(request.getfixturevalue(name))

    for url in ("write_function", "preview_function", "apply_functions"):
        assert (
            client.post(reverse(f"assist:{url}", args=[dataset.uuid]), sent(dataset, name="x")).status_code
            == status
        )
    for url in ("function", "retire_function"):
        assert (
            client.post(reverse(f"assist:{url}", args=[function.uuid]), sent(dataset, name="x")).status_code
            == status
        )
    assert (LabelingFunction.objects.count(), Job.objects.filter(kind=suggesting.APPLY).count()) == (1, 0)


@pytest.mark.postgres
def test_rules_over_rest(dataset, mia, client_for):
    client = client_for(mia)
    base = f"/api/v1/labeling/datasets/{dataset.uuid}/functions/"
    pattern = {"kind": "words", "pattern": "card", "label": str(stable_id(dataset, "card"))}

    tried = client.post(f"{base}preview/", pattern, content_type="application/json").json()
    assert (tried["measured"]["matches"], tried["measured"]["precision"], len(tried["examples"])) == (
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
    assert (made["version"], changed["version"], made["function"]) == (1, 2, changed["function"])
    assert [function["uuid"] for function in client.get(base).json()] == [changed["uuid"]]
    assert client.post(f"{base}apply/").status_code == 202
    run_ok()
    assert Suggestion.objects.filter(source_digest=changed["digest"]).count() == 18

    assert client.post(f"/api/v1/labeling/functions/{changed['uuid']}/retire/").json()["retired"] is True
    assert client.get(base).json() == []
