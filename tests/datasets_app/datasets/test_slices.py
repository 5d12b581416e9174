"""Slices: named filters, private or shared, counted, reported if they're no longer valid, and opened as a
queue.
"""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.html import escape

from datasets_app.datasets import actions, queries
from datasets_app.datasets import selection as selecting
from datasets_app.datasets.models import Slice
from datasets_app.datasets.selection import Selection
from datasets_app.queues.actions import filling, opening
from datasets_app.queues.actions.opening import open_queue
from datasets_app.queues.models import Queue, Slot
from datasets_app.review.actions.changes import change_labels
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema
from datasets_app.schemas.relabeling import Change, ChangeKind
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.ledger.models import Event
from tests.support.jobs import run_ok
from tests.support.labeling import add_items, answer, make_dataset, make_queue, queue_items
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}
TEXTS = ["card one", "card two", "transfer three", "card four", "transfer five"]


@pytest.fixture
def dataset(project, ana):
    return make_dataset(project, ana, TEXTS)


@pytest.fixture
def cards(dataset, ana) -> Slice:
    return save(dataset, ana, name="Cards", filters={"q": "card"}, shared=True)


def save(dataset, actor, **options) -> Slice:
    return actions.save_slice(dataset_id=dataset.uuid, actor=actor, **options)


def verbs() -> list[str]:
    return list(
        Event.objects.filter(verb__startswith="datasets.slice").order_by("id").values_list("verb", flat=True)
    )


def test_a_slice_keeps_the_active_filters(dataset, ana):
    row = save(
        dataset,
        ana,
        name="  Long   cards ",
        filters={"q": " card ", "length_from": "9", "split": ""},
        description="to look at",
    )

    assert (row.name, row.filters, row.shared, row.description) == (
        "Long cards",
        {"q": "card", "length_from": "9"},
        False,
        "to look at",
    )
    assert [item.text for item in Selection(dataset, ana, row.filters, whole=True).page().items] == [
        "card four"
    ]
    assert verbs() == ["datasets.slice_saved"]
    assert "card" not in Event.objects.get(verb="datasets.slice_saved").canonical


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"name": " ", "filters": {"q": "card"}}, "name"),
        ({"name": "x", "filters": {}}, "filters"),
        ({"name": "x", "filters": {"split": "nowhere"}}, "split"),
        ({"name": "x", "filters": {"never": "heard of"}}, "never"),
        ({"name": "Cards", "filters": {"q": "other"}}, "name"),
    ],
)
def test_an_invalid_slice_is_refused_by_field_and_nothing_is_saved(dataset, ana, cards, options, field):
    with pytest.raises(Refused) as refusal:
        save(dataset, ana, **options)

    assert list(refusal.value.fields) == [field]
    assert Slice.objects.get() == cards
    assert verbs() == ["datasets.slice_saved"]


def test_roles_that_cant_save_slices_are_refused(dataset, omar):
    with pytest.raises(PermissionDenied):
        save(dataset, omar, name="x", filters={"split": "test"})
    assert not Slice.objects.exists()


def test_own_slices_are_private_and_shared_ones_visible_to_the_project(
    dataset, ana, ravi, otto, cards, client_for
):
    own = save(dataset, ana, name="Mine", filters={"q": "two"})

    assert [set(queries.slices(user)) for user in (ana, ravi, otto)] == [{own, cards}, {cards}, set()]
    for user, row, status in ((ana, own, 200), (ravi, own, 404), (ravi, cards, 200), (otto, cards, 404)):
        client = client_for(user)
        assert client.get(reverse("datasets:slice", args=[row.uuid])).status_code == status
        assert client.get(f"/api/v1/slices/{row.uuid}/").status_code == status
    assert client_for(ravi).post(reverse("datasets:delete_slice", args=[own.uuid])).status_code == 404
    assert client_for(ravi).get(f"/api/v1/datasets/{dataset.uuid}/items/?slice={own.uuid}").status_code == 404
    assert Slice.objects.count() == 2


def test_only_its_author_and_leads_can_change_a_shared_slice(dataset, ana, ravi, lee, cards):
    with pytest.raises(PermissionDenied):
        actions.change_slice(slice_id=cards.uuid, actor=ravi, name="Mine now")
    with pytest.raises(PermissionDenied):
        actions.delete_slice(slice_id=cards.uuid, actor=ravi)
    cards.refresh_from_db()
    assert cards.name == "Cards"

    actions.change_slice(
        slice_id=cards.uuid, actor=lee, name="All cards", description="every one", shared=True
    )
    cards.refresh_from_db()
    assert (cards.name, cards.description, cards.filters) == ("All cards", "every one", {"q": "card"})
    actions.delete_slice(slice_id=cards.uuid, actor=ana)
    assert not Slice.objects.exists()
    assert verbs() == ["datasets.slice_saved", "datasets.slice_changed", "datasets.slice_deleted"]


@pytest.mark.postgres
def test_a_small_slice_is_counted_directly_and_a_large_one_by_a_job(dataset, ana, cards, monkeypatch):
    assert actions.count_slice(slice_id=cards.uuid, actor=ana) is None
    cards.refresh_from_db()
    assert cards.size == 3
    assert cards.counted_at is not None

    add_items(dataset, ana, ["card six"])
    monkeypatch.setattr(selecting, "FIRST", 2)
    job = actions.count_slice(slice_id=cards.uuid, actor=ana, seconds=-1)
    assert job.kind == "datasets.count_slice"
    cards.refresh_from_db()
    assert cards.size == 3
    run_ok("default")
    cards.refresh_from_db()
    assert cards.size == 4


def test_an_invalid_slice_is_reported_everywhere_and_matches_nothing(dataset, ana, ravi, client_for):
    make_queue(dataset, ravi, schema=["billing", "card"])
    card = labels_by_name(latest_schema(dataset))["card"]
    row = save(dataset, ravi, name="As card", filters={"labeled_as": str(card.stable_id)}, shared=True)
    url, opens = reverse("datasets:slice", args=[row.uuid]), reverse("queues:open", args=[dataset.uuid])
    assert f'href="{opens}' in client_for(ravi).get(url).content.decode()
    change_labels(
        dataset_id=dataset.uuid, actor=ravi, wanted=[Change(card.stable_id, ChangeKind.RETIRE)], seen=1
    )

    shown = client_for(ravi).get(url)
    (chip,) = shown.context["selection"].chips
    page = shown.content.decode()
    assert (shown.context["selection"].is_valid, bool(chip.problem), chip.rest) == (False, True, {})
    assert ('role="alert"' in page, opens in page) == (True, False)
    assert all(escape(words) in page for words in (chip.words, chip.problem))
    listed = (
        client_for(ravi).get(reverse("datasets:dataset", args=[dataset.uuid]), row.filters).content.decode()
    )
    assert ('role="alert"' in listed, "card one" in listed) == (True, False)
    assert (
        "card one" in client_for(ravi).get(reverse("datasets:dataset", args=[dataset.uuid])).content.decode()
    )
    with refused(by=Conflict):
        actions.count_slice(slice_id=row.uuid, actor=ravi)
    with refused("slice"):
        open_queue(dataset_id=dataset.uuid, actor=ravi, name="x", source="slice", slice_id=row.uuid)
    answered = client_for(ana).get(f"/api/v1/datasets/{dataset.uuid}/items/?slice={row.uuid}")
    assert (answered.status_code, list(answered.json()["fields"])) == (400, ["labeled_as"])
    assert Queue.objects.count() == 1


# ── Pages and API ───────────────────────────────────────────────────────────
def test_filters_are_in_the_url_and_each_can_be_removed(dataset, ana, client_for):
    url = reverse("datasets:dataset", args=[dataset.uuid])
    tidy = client_for(ana).get(url, {"q": "card", "split": "", "length_from": "9", "group": ""})
    assert (tidy.status_code, tidy["Location"]) == (302, f"{url}?q=card&length_from=9#items")
    page = client_for(ana).get(url, {"q": "card", "length_from": "9"}).content.decode()

    assert "<mark>card</mark> four" in page
    assert "card one" not in page
    assert f'href="{url}?length_from=9#items" aria-label="' in page
    assert f'href="{url}?q=card#items" aria-label="' in page
    fragment = client_for(ana).get(url, {"q": "card", "split": ""}, **HTMX)
    assert fragment["HX-Push-Url"] == f"{url}?q=card"
    assert "<html" not in fragment.content.decode()


def test_hostile_queries_are_escaped_on_the_page(dataset, ana, client_for):
    url = reverse("datasets:dataset", args=[dataset.uuid])
    page = client_for(ana).get(url, {"q": '"><script>alert(1)</script> \u202e'}).content.decode()

    assert "<script>alert" not in page
    assert "\u202e" not in page.replace('value="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt; \u202e"', "")


@pytest.mark.postgres
def test_a_slice_is_saved_changed_counted_and_deleted_on_its_pages(dataset, ana, client_for):
    client = client_for(ana)
    url = reverse("datasets:save_slice", args=[dataset.uuid])
    assert client.post(f"{url}?q=card", {"name": ""}).status_code == 422
    saved = client.post(f"{url}?q=card", {"name": "Cards", "shared": "on"})
    row = Slice.objects.get()
    assert (saved.status_code, saved["Location"]) == (302, reverse("datasets:slice", args=[row.uuid]))
    assert (row.filters, row.shared) == ({"q": "card"}, True)
    again = client.post(f"{url}?q=card", {"name": "Cards"})
    ((field, (refusal, *_)),) = again.context["slice_form"].errors.items()
    assert (again.status_code, field, "Cards" in refusal) == (422, "name", True)
    assert Slice.objects.count() == 1

    client.post(reverse("datasets:count_slice", args=[row.uuid]))
    client.post(reverse("datasets:change_slice", args=[row.uuid]), {"name": "Mine", "description": ""})
    row.refresh_from_db()
    assert (row.name, row.shared, row.size) == ("Mine", False, 3)
    assert "Mine" in client.get(reverse("datasets:dataset", args=[dataset.uuid])).content.decode()
    assert "Mine" in client.get("/find/", {"q": "min"}).content.decode()
    client.post(reverse("datasets:delete_slice", args=[row.uuid]))
    assert not Slice.objects.exists()


@pytest.mark.postgres
def test_the_api_searches_filters_pages_and_keeps_slices(dataset, ana, client_for):
    client, items = client_for(ana), f"/api/v1/datasets/{dataset.uuid}/items/"
    page = client.get(items, {"q": "card", "length_to": "8"}).json()
    assert ([row["text"] for row in page["results"]], page["before"], page["stopped"]) == (
        ["card two", "card one"],
        None,
        False,
    )
    refused = client.get(items, {"q": "-", "lenght_to": "8"})
    assert (refused.status_code, sorted(refused.json()["fields"])) == (400, ["lenght_to", "q"])

    body = {"name": "Cards", "filters": {"q": "card"}}
    made = client.post(f"/api/v1/datasets/{dataset.uuid}/slices/", body, content_type="application/json")
    assert (made.status_code, made.json()["filters"], made.json()["size"]) == (201, {"q": "card"}, None)
    one = f"/api/v1/slices/{made.json()['uuid']}/"
    counted = client.post(f"{one}count/").json()
    assert (counted["slice"]["size"], counted["job"]) == (3, None)
    both = client.get(items, {"slice": made.json()["uuid"], "length_from": "9"}).json()
    assert [row["text"] for row in both["results"]] == ["card four"]
    assert client.put(one, {"name": "Renamed"}, content_type="application/json").json()["name"] == "Renamed"
    assert [
        row["name"] for row in client.get(f"/api/v1/datasets/{dataset.uuid}/slices/").json()["results"]
    ] == ["Renamed"]
    assert client.delete(one).status_code == 204
    assert not Slice.objects.exists()


@pytest.mark.parametrize("count", [1, 8])
def test_the_list_takes_a_constant_number_of_queries(
    project, ana, count, client_for, django_assert_num_queries
):
    dataset = make_dataset(
        project, ana, [f"card number {n}" for n in range(count)], name="Other", slug="other"
    )
    for n in range(count):
        save(dataset, ana, name=f"Slice {n}", filters={"q": "card"})
    client, url = client_for(ana), reverse("datasets:dataset", args=[dataset.uuid])
    client.get(url)

    with django_assert_num_queries(STATEMENTS):
        client.get(url, {"q": "card", "label_state": "unlabeled", "length_from": "1"}, **HTMX)


STATEMENTS = 24


# ── Queues ──────────────────────────────────────────────────────────────────
def test_a_queue_of_a_slice_has_its_items_and_keeps_its_filters(dataset, ravi, cards, client_for):
    make_queue(dataset, ravi, schema=["billing", "card"], name="All", source="all")
    form = (
        client_for(ravi)
        .get(reverse("queues:open", args=[dataset.uuid]), {"slice": str(cards.uuid)})
        .content.decode()
    )
    assert f'<option value="{cards.uuid}" selected>' in form

    posted = {
        "name": "Cards",
        "source": "slice",
        "slice": str(cards.uuid),
        "overlap": "2",
        "hidden_share": "20",
    }
    client_for(ravi).post(reverse("queues:open", args=[dataset.uuid]), posted)
    queue = Queue.objects.get(name="Cards")
    actions.delete_slice(slice_id=cards.uuid, actor=cards.created_by)

    assert [item.text for item in queue_items(queue)] == ["card one", "card two", "card four"]
    queue.refresh_from_db()
    assert (queue.filters, queue.items_total, queue.slots_total, queue.filled_at is not None) == (
        {"q": "card"},
        3,
        6,
        True,
    )
    shown = client_for(ravi).get(reverse("queues:queue", args=[queue.uuid]))
    assert (queue.source, "card" in shown.context["chosen"]) == ("slice", True)
    assert escape(shown.context["chosen"]) in shown.content.decode()


@pytest.mark.postgres
def test_a_queue_of_a_large_slice_is_filled_by_a_job_that_resumes(dataset, ravi, cards, monkeypatch):
    add_items(dataset, ravi, [f"card more {n}" for n in range(20)])
    monkeypatch.setattr(opening, "AT_ONCE", 1)
    monkeypatch.setattr(filling, "BATCH", 4)
    monkeypatch.setattr(selecting, "FIRST", 3)
    monkeypatch.setattr(selecting, "QUICK", -1)
    queue = make_queue(dataset, ravi, source="slice", slice_id=cards.uuid)
    assert (queue.items_total, queue.filled_at) == (0, None)

    batches = filling.batches(queue, 0)
    for _ in range(3):  # these exist already, as after a crash
        taken, reached = next(batches)
        filling.make_slots(queue, taken)
    Job.objects.filter(kind="queues.fill").update(checkpoint={"after": reached})
    run_ok("default")

    queue.refresh_from_db()
    items = list(Slot.objects.filter(queue=queue).values_list("item__text", flat=True))
    assert len(items) == len(set(items)) == queue.items_total == 23
    assert queue.filled_at is not None


def test_an_empty_slice_cant_be_opened_as_a_queue(dataset, ana, ravi):
    empty = save(dataset, ravi, name="None", filters={"q": "nowhere"})
    make_queue(dataset, ravi, schema=["a", "b"], name="All", source="all")

    with refused("slice", naming=("None",)):
        open_queue(dataset_id=dataset.uuid, actor=ravi, name="x", source="slice", slice_id=empty.uuid)
    with refused("slice"):
        open_queue(dataset_id=dataset.uuid, actor=ravi, name="x", source="slice")
    private = save(dataset, ana, name="Mine", filters={"q": "card"})
    with pytest.raises(Refused) as of_another:
        open_queue(dataset_id=dataset.uuid, actor=ravi, name="x", source="slice", slice_id=private.uuid)
    assert list(of_another.value.fields) == ["slice"]
    assert Queue.objects.count() == 1


def test_a_queue_of_a_slice_reflects_decisions_until_it_is_filled(dataset, ana, ravi):
    queue = make_queue(dataset, ravi, schema=["billing", "card"], name="All", source="all")
    items = queue_items(queue)
    answer(queue, ana, items[0], "card")
    row = save(dataset, ravi, name="Open cards", filters={"q": "card", "label_state": "unlabeled"})

    made = open_queue(dataset_id=dataset.uuid, actor=ravi, name="Rest", source="slice", slice_id=row.uuid)

    assert [item.text for item in queue_items(made)] == ["card two", "card four"]
