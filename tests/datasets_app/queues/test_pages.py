"""Queue and schema pages."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from datasets_app.quality import agreement
from datasets_app.queues.models import Queue
from datasets_app.schemas.forms.schemas import read_classes, write_classes
from datasets_app.schemas.models import LabelSchema
from datasets_app.schemas.rules import LabelSpec
from tests.support.jobs import run_ok
from tests.support.labeling import answer, label_items, make_dataset, make_queue, make_schema, queue_items

pytestmark = pytest.mark.django_db
CLASSES = (
    "# Cards\ncard | The plastic.\n  + Where is my card?\n  ~ billing: not the amount\n\n# Money\nbilling"
)


@pytest.fixture
def dataset(project, mia):
    return make_dataset(project, mia, ["one", "two", "three"])


@pytest.fixture
def queue(dataset, mia) -> Queue:
    return make_queue(dataset, mia)


def test_the_list_takes_the_same_statements_for_one_and_many_queues(dataset, mia, client_for):
    client = client_for(mia)
    taken = []
    for rows in (1, 5):
        for n in range(rows):
            make_queue(dataset, mia, name=f"Batch {rows}.{n}")
        with CaptureQueriesContext(connection) as statements:
            assert client.get(reverse("queues:list")).status_code == 200
        taken.append(len(statements))

    assert taken[0] == taken[1]


@pytest.mark.parametrize(("name", "labels"), [("ana", True), ("mia", True), ("aida", False), ("omar", False)])
def test_the_list_leads_only_those_to_the_bench_who_may_label_there(queue, client_for, request, name, labels):
    page = client_for(request.getfixturevalue(name)).get(reverse("queues:list")).content.decode()

    assert reverse("queues:queue", args=[queue.uuid]) in page
    assert (reverse("queues:bench", args=[queue.uuid]) in page) is labels


def test_a_queue_is_opened_by_the_form(dataset, mia, client_for):
    make_schema(dataset, mia)
    sent = {"name": "Batch 1", "source": "unlabeled", "overlap": "2", "hidden_share": "30"}

    page = client_for(mia).post(reverse("queues:open", args=[dataset.uuid]), sent, follow=True)

    queue = Queue.objects.get()
    assert (queue.overlap, queue.hidden_share, queue.slots_total) == (2, 30, 6)
    assert b"Batch 1" in page.content


def test_a_taken_name_is_a_field_error(queue, dataset, mia, client_for):
    sent = {"name": "Batch 1", "source": "all", "overlap": "1", "hidden_share": "20"}

    page = client_for(mia).post(reverse("queues:open", args=[dataset.uuid]), sent)

    ((field, (refusal, *_)),) = page.context["form"].errors.items()
    assert (page.status_code, field, "Batch 1" in refusal) == (422, "name", True)
    assert Queue.objects.count() == 1


@pytest.mark.parametrize(("person", "status"), [("ana", 403), ("gita", 403), ("otto", 404)])
def test_who_may_not_manage_opens_and_publishes_nothing(dataset, person, status, request, client_for):
    client = client_for(request.getfixturevalue(person))
    sent = {"name": "Batch 1", "source": "all", "overlap": "1", "hidden_share": "20"}

    assert client.post(reverse("queues:open", args=[dataset.uuid]), sent).status_code == status
    assert (
        client.post(reverse("schemas:schema", args=[dataset.uuid]), {"classes": "a\nb"}).status_code == status
    )
    assert (Queue.objects.count(), LabelSchema.objects.count()) == (0, 0)


def test_people_see_their_own_numbers_and_managers_all(dataset, mia, ana, ravi, client_for):
    queue = make_queue(dataset, mia, overlap=2)
    label_items(queue, {ana: ["card"], ravi: ["card", "card"]})
    url = reverse("queues:queue", args=[queue.uuid])

    assert [row.seat.labeled for row in client_for(ana).get(url).context["people"]] == [1]
    assert [row.seat.labeled for row in client_for(mia).get(url).context["people"]] == [2, 1]


def test_agreement_is_shown_from_enough_items_on(project, mia, ana, ben, client_for, monkeypatch):
    assert agreement.FEWEST == 20
    monkeypatch.setattr(agreement, "FEWEST", 4)
    queue = make_queue(make_dataset(project, mia, ["one", "two", "three", "four"]), mia, overlap=2)
    label_items(queue, {ana: ["card"] * 2 + ["billing"] * 2, ben: ["card"] + ["billing"] * 2})
    url = reverse("queues:queue", args=[queue.uuid])
    assert 'data-state="few" data-count="3"' in client_for(mia).get(url).content.decode()

    label_items(queue, {ben: [""] * 3 + ["billing"]})

    found = client_for(mia).get(url).context["agreement"]
    assert (found.items, found.percent, found.cohen) == (4, 0.75, 0.5)


def test_classes_as_text_are_read_as_they_are_written(dataset, mia):
    labels = read_classes(CLASSES)

    assert labels == [
        LabelSpec(
            "card",
            "The plastic.",
            ("Where is my card?",),
            ({"name": "billing", "note": "not the amount"},),
            "Cards",
        ),
        LabelSpec("billing", group="Money"),
    ]
    assert [label.name for label in labels] == ["card", "billing"]


def test_publishing_by_the_form_keeps_identities(dataset, mia, client_for):
    first = make_schema(dataset, mia, ["card", "billing"])
    url = reverse("schemas:schema", args=[dataset.uuid])

    page = client_for(mia).post(
        url,
        {"classes": CLASSES, "guideline": "# Rules\n<script>x</script>", "seen": first.version},
        follow=True,
    )

    second = LabelSchema.objects.get(version=2)
    assert second.labels.get(name="card").stable_id == first.labels.get(name="card").stable_id
    assert write_classes(second) == CLASSES
    assert b"<script>x" not in page.content
    assert b"&lt;script&gt;x" in page.content


def test_a_stale_editor_publishes_nothing(dataset, mia, client_for):
    make_schema(dataset, mia)

    page = client_for(mia).post(
        reverse("schemas:schema", args=[dataset.uuid]), {"classes": "a\nb", "seen": 0}
    )

    assert page.status_code == 409
    assert LabelSchema.objects.count() == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  + x", "Line 1 is indented"),
        ("a\n  x", "Line 2 starts with neither"),
        ("a\na", "is listed 2 times"),
    ],
)
def test_unreadable_labels_are_reported(dataset, mia, text, message, client_for):
    page = client_for(mia).post(reverse("schemas:schema", args=[dataset.uuid]), {"classes": text, "seen": 0})

    assert (page.status_code, message in page.content.decode()) == (422, True)
    assert LabelSchema.objects.count() == 0


def test_a_large_queue_is_filled_by_a_job_in_batches(project, mia):
    dataset = make_dataset(project, mia, [f"t{n}" for n in range(1_050)])
    queue = make_queue(dataset, mia, overlap=3)
    assert (queue.slots_total, queue.filled_at) == (0, None)

    run_ok()

    queue.refresh_from_db()
    assert (queue.items_total, queue.slots_total, queue.slots.count()) == (1_050, 3_150, 3_150)
    assert queue.filled_at is not None


def test_pause_resume_and_close_are_moves_of_the_page(queue, mia, client_for):
    client = client_for(mia)

    for name, state in (("pause", "paused"), ("resume", "open"), ("close", "closed")):
        assert client.post(reverse(f"queues:{name}", args=[queue.uuid])).status_code == 302
        queue.refresh_from_db()
        assert queue.state == state
    assert client.post(reverse("queues:resume", args=[queue.uuid])).status_code == 409


@pytest.mark.parametrize(
    ("done", "seconds", "shown"),
    [
        (0, 0, (None, "no annotations yet")),
        (1, 0, (None, "no timing data yet")),
        (2, 4, ("4\u00a0s", "at 4.0 s per annotation")),
        (3, 4, ("None", "all annotations done")),
    ],
)
def test_the_remaining_work_or_the_reason_without_it_is_shown(
    queue, mia, ana, client_for, done, seconds, shown
):
    for item in queue_items(queue)[:done]:
        answer(queue, ana, item, "card", seconds=seconds)

    figures = client_for(mia).get(reverse("queues:queue", args=[queue.uuid])).context["figures"]

    left = next(figure for figure in figures if figure.label == "Work left")
    assert (left.value, left.sub) == shown
