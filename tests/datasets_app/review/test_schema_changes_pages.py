"""The page of schema changes, and what other pages show about them."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from datasets_app.queues.models import Decision, Queue
from datasets_app.queues.queries.decisions import current_decisions
from datasets_app.review.actions.changes import change_labels
from datasets_app.schemas.models import LabelChange, LabelSchema
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema
from datasets_app.schemas.relabeling import Change
from lifecycle.ground.jobs.models import Job
from tests.support.jobs import run_ok
from tests.support.labeling import add_items, label_items, make_dataset, make_queue, make_schema

pytestmark = pytest.mark.django_db
NAMES = ("billing", "card", "lost", "transfer")


@pytest.fixture
def dataset(project, mia):
    return make_dataset(project, mia, ["one", "two", "three"])


@pytest.fixture
def queue(dataset, mia, ana) -> Queue:
    queue = make_queue(dataset, mia, schema=NAMES)
    label_items(queue, {ana: ["lost", "card", "lost"]})
    return queue


def url(dataset):
    return reverse("review:change_labels", args=[dataset.uuid])


def sent(dataset, *wanted, seen=1, **more):
    now = labels_by_name(latest_schema(dataset))
    rows = {}
    for number, (name, kind, into) in enumerate(wanted, start=1):
        rows |= {f"class_{number}": str(now[name].stable_id), f"kind_{number}": kind, f"into_{number}": into}
    return {"seen": seen, "step": "look"} | rows | more


def test_what_is_touched_is_shown_before_anything_is_published(dataset, queue, mia, client_for):
    data = sent(dataset, ("lost", "merge", "card"), ("transfer", "rename", "wire"), move=[str(queue.uuid)])

    answer = client_for(mia).post(url(dataset), data)

    ((removed, found),) = answer.context["touched"]
    assert (removed.name, removed.into, found.resolved_labels, found.annotations, found.queues) == (
        "lost",
        ("card",),
        2,
        2,
        1,
    )
    page = answer.content.decode()
    assert answer.context["plan"].renamed == [("transfer", "wire")]
    renamed = page.partition('data-change="rename">')[2].partition("</p>")[0]
    assert ("<b>transfer</b>" in renamed, "<b>wire</b>" in renamed) == (True, True)
    assert 'name="step" value="publish"' in page
    assert (LabelSchema.objects.count(), Job.objects.count()) == (1, 0)


def publish(client, dataset, data):
    looked = client.post(url(dataset), data).context["form"].initial["looked"]
    return client.post(url(dataset), data | {"step": "publish", "looked": looked}, follow=True)


def test_what_was_looked_at_is_published_and_its_decisions_move(dataset, queue, mia, client_for):
    data = sent(dataset, ("lost", "merge", "card"), move=[str(queue.uuid)])

    page = publish(client_for(mia), dataset, data)

    assert page.redirect_chain == [(reverse("schemas:schema", args=[dataset.uuid]), 302)]
    assert page.content.decode().count("data-toast>") == 1
    assert latest_schema(dataset).version == 2
    run_ok()
    queue.refresh_from_db()
    assert queue.schema.version == 2
    assert {each.label.name for each in current_decisions(dataset)} == {"card"}
    version = client_for(mia).get(reverse("schemas:schema_version", args=[dataset.uuid, 2])).content.decode()
    merged = version.partition('data-change="merge">')[2].partition("</li>")[0]
    assert ("<b>lost</b>" in merged, "<b>card</b>" in merged) == (True, True)


def test_other_changes_than_those_looked_at_are_shown_and_not_published(dataset, queue, mia, client_for):
    client = client_for(mia)
    looked = (
        client.post(url(dataset), sent(dataset, ("lost", "merge", "card"))).context["form"].initial["looked"]
    )

    first = client.post(url(dataset), sent(dataset, ("lost", "retire", "")))
    other = client.post(url(dataset), sent(dataset, ("lost", "retire", ""), step="publish", looked=looked))

    assert ['data-state="stale"' in each.content.decode() for each in (first, other)] == [False, True]
    assert LabelSchema.objects.count() == 1


def test_all_open_queues_move_by_default(dataset, queue, mia, client_for):
    client, data = client_for(mia), sent(dataset, ("lost", "retire", ""))

    first = client.post(url(dataset), data).context["form"].initial
    again = client.post(url(dataset), data | {"looked": first["looked"]}).context["form"].initial

    assert (first["move"], again["move"]) == ([str(queue.uuid)], [])


def test_a_stale_form_changes_nothing(dataset, queue, mia, client_for):
    client = client_for(mia)
    data = sent(dataset, ("lost", "merge", "card"))
    looked = client.post(url(dataset), data).context["form"].initial["looked"]
    make_schema(dataset, mia, ("billing", "card", "lost", "transfer", "new"))

    for step in ("look", "publish"):
        answer = client.post(url(dataset), data | {"step": step, "looked": looked})
        assert answer.status_code == 409

    assert (LabelSchema.objects.count(), LabelChange.objects.count()) == (2, 0)


def test_an_invalid_change_is_reported(dataset, queue, mia, client_for):
    answer = client_for(mia).post(url(dataset), sent(dataset, ("lost", "merge", "lost")))

    assert (answer.status_code, answer.context["form"].is_valid()) == (422, False)
    assert 'role="alert"' in answer.content.decode()
    assert LabelSchema.objects.count() == 1


def test_more_than_ten_thousand_are_not_counted(dataset, queue, mia, client_for, monkeypatch):
    for place in ("queries.moves", "views.changes"):
        monkeypatch.setattr(f"datasets_app.review.{place}.EXACT", 1)

    answer = client_for(mia).post(url(dataset), sent(dataset, ("lost", "retire", "")))

    ((_, found),) = answer.context["touched"]
    cells = re.findall(r'data-l="(?:resolved labels|annotations)">([^<]*)</td>', answer.content.decode())
    assert (found.resolved_labels, found.annotations, len(cells)) == (2, 2, 2)
    assert all("1" in cell and "2" not in cell for cell in cells)


def test_the_page_takes_the_same_statements_for_few_and_many_items(dataset, queue, mia, ana, client_for):
    client, taken = client_for(mia), []
    for rows in (0, 8):
        if rows:
            add_items(dataset, mia, [f"text {n}" for n in range(rows)])
            label_items(make_queue(dataset, mia, name="Batch 2"), {ana: ["lost"] * rows})
            Queue.objects.filter(name="Batch 2").update(state="closed")
        with CaptureQueriesContext(connection) as statements:
            assert client.post(url(dataset), sent(dataset, ("lost", "retire", ""))).status_code == 200
        taken.append(len(statements))

    assert taken[0] == taken[1]


@pytest.mark.postgres
def test_a_queue_with_an_older_version_is_shown_and_moved(dataset, queue, mia, client_for):
    client = client_for(mia)
    publish(client, dataset, sent(dataset, ("lost", "retire", "")))
    page = reverse("queues:queue", args=[queue.uuid])
    labels = reverse("schemas:schema", args=[dataset.uuid])
    move_url = reverse("review:move_queue", args=[queue.uuid])
    assert f'action="{move_url}"' in client.get(page).content.decode()
    assert 'data-queues-behind="1"' in client.get(labels).content.decode()

    client.post(move_url)

    assert move_url not in client.get(page).content.decode()
    assert "data-queues-behind" not in client.get(labels).content.decode()
    queue.refresh_from_db()
    assert queue.schema.version == 2


@pytest.mark.postgres
def test_decisions_with_older_labels_are_shown_and_moved(dataset, queue, mia, client_for):
    client, page = client_for(mia), reverse("schemas:schema", args=[dataset.uuid])
    lost = labels_by_name(queue.schema)["lost"]
    change_labels(dataset_id=dataset.uuid, actor=mia, wanted=[Change(lost.stable_id, "split", ("a", "b"))])
    Job.objects.all().delete()
    move_url = reverse("review:move_decisions", args=[dataset.uuid])
    behind = client.get(page).content.decode()
    assert ('data-labels-behind="2"' in behind, f'action="{move_url}"' in behind) == (True, True)

    client.post(move_url)
    run_ok()

    moved = client.get(page).content.decode()
    assert ("data-labels-behind" in moved, move_url in moved) == (False, False)
    assert Decision.objects.filter(how="withdrawn").count() == 2


def test_the_editor_asks_before_it_retires_a_class(dataset, queue, mia, client_for):
    client, page = client_for(mia), reverse("schemas:schema", args=[dataset.uuid])
    data = {"classes": "billing\ncard\nlost_card\ntransfer", "seen": 1}

    answer = client.post(page, data)
    form = answer.context["form"]
    assert (answer.status_code, form.data["dropping"], LabelSchema.objects.count()) == (422, "lost", 1)
    assert 'name="dropping" value="lost"' in answer.content.decode()
    client.post(page, data | {"dropping": answer.context["form"].data["dropping"]})

    assert (LabelSchema.objects.count(), LabelChange.objects.get().kind) == (2, "retire")


@pytest.mark.parametrize(("name", "status"), [("ana", 403), ("gita", 403), ("otto", 404)])
def test_who_may_not_manage_changes_nothing(dataset, queue, request, name, status, client_for):
    client = client_for(request.getfixturevalue(name))
    data = sent(dataset, ("lost", "retire", ""))

    assert client.post(url(dataset), data).status_code == status
    assert client.post(reverse("review:move_decisions", args=[dataset.uuid])).status_code == status
    assert client.post(reverse("review:move_queue", args=[queue.uuid])).status_code == status
    assert (LabelSchema.objects.count(), Job.objects.count()) == (1, 0)


def test_classes_are_changed_over_rest(dataset, queue, mia, client_for):
    client = client_for(mia)
    base = f"/api/v1/labeling/datasets/{dataset.uuid}/labels"
    now = labels_by_name(queue.schema)
    wanted = [
        {"label": str(now["lost"].stable_id), "kind": "merge", "into": ["card"]},
        {"label": str(now["billing"].stable_id), "kind": "rename", "into": ["bills"]},
    ]

    looked = client.post(
        f"{base}/preview/", {"changes": wanted, "seen": 1}, content_type="application/json"
    ).json()
    assert looked["labels"] == ["bills", "card", "transfer"]
    lost = {
        "name": "lost",
        "kind": "merge",
        "into": ["card"],
        "resolved_labels": 2,
        "withdrawn": 0,
        "annotations": 2,
        "prelabels": 0,
        "queues": 1,
    }
    assert (looked["removed"], LabelSchema.objects.count()) == ([lost], 1)

    stale = client.post(f"{base}/change/", {"changes": wanted, "seen": 0}, content_type="application/json")
    assert (stale.status_code, LabelSchema.objects.count()) == (409, 1)
    sent = {"changes": wanted, "seen": 1, "move": [str(queue.uuid)]}
    made = client.post(f"{base}/change/", sent, content_type="application/json")
    assert (made.status_code, [label["name"] for label in made.json()["labels"]]) == (
        201,
        ["bills", "card", "transfer"],
    )
    run_ok()
    assert {each.label.name for each in current_decisions(dataset)} == {"card"}
