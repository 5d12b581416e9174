"""Judging findings, and sending them to queues."""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import PermissionDenied

from datasets_app.datasets.models import Item
from datasets_app.queues.actions.claims import claim
from datasets_app.queues.actions.managing import close_queue
from datasets_app.queues.actions.opening import open_queue
from datasets_app.queues.models import Queue, Slot
from datasets_app.scanning import actions
from datasets_app.scanning.models import Finding, Tally
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.ledger.models import Event
from tests.support.datasets import import_texts, make_dataset
from tests.support.scanning import scan
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
TEXTS = [" ".join(f"{letter}{n}" for n in range(12)) for letter in "abc"]
ROWS = [row for text in TEXTS for row in ((text, "card"), (f"{text} more", "cash"))]


@pytest.fixture
def dataset(project, ana, ravi):
    dataset = make_dataset(project, ana)
    import_texts(dataset, [*ROWS, (f"{TEXTS[0]} most", "card")], ana)
    scan(dataset, ravi)
    return dataset


@pytest.fixture
def finding(dataset):
    return Finding.objects.filter(kind="label_conflict").order_by("-score").first()


def counted(kind: str = "label_conflict") -> tuple[int, int, int, int]:
    tally = Tally.objects.get(kind=kind)
    return tally.open, tally.confirmed, tally.dismissed, tally.gone


def test_a_finding_is_dismissed_with_a_reason_in_the_audit_log(finding, ravi):
    row = actions.dismiss(finding_id=finding.uuid, actor=ravi, reason=" Both are right. ")
    event = Event.objects.latest("id")

    assert (row.status, row.reason, row.reviewed_by, counted()) == (
        "dismissed",
        "Both are right.",
        ravi,
        (2, 0, 1, 0),
    )
    payload = json.loads(event.canonical)["payload"]
    assert (event.verb, payload["reason"], payload["old"]) == (
        "scanning.dismissed",
        "Both are right.",
        "open",
    )


def test_a_finding_is_confirmed_and_reopened(finding, ravi, lee):
    assert actions.confirm(finding_id=finding.uuid, actor=ravi).status == "confirmed"
    assert counted() == (2, 1, 0, 0)
    row = actions.reopen(finding_id=finding.uuid, actor=lee)

    assert (row.status, row.reviewed_by, row.reviewed_at, counted()) == ("open", None, None, (3, 0, 0, 0))
    assert list(Event.objects.order_by("-id").values_list("verb", flat=True)[:2]) == [
        "scanning.reopened",
        "scanning.confirmed",
    ]


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_a_dismissal_without_a_valid_reason_changes_nothing(finding, ravi, reason):
    with pytest.raises(Refused):
        actions.dismiss(finding_id=finding.uuid, actor=ravi, reason=reason)

    finding.refresh_from_db()
    assert (finding.status, counted()) == ("open", (3, 0, 0, 0))


def test_people_without_permission_cannot_judge(finding, ana, mia, gita):
    for actor in (ana, mia, gita):
        with pytest.raises(PermissionDenied):
            actions.confirm(finding_id=finding.uuid, actor=actor)

    finding.refresh_from_db()
    assert (finding.status, counted()) == ("open", (3, 0, 0, 0))


def test_a_stale_page_is_told(finding, ravi, lee):
    actions.dismiss(finding_id=finding.uuid, actor=lee, reason="Both are right.")
    with refused(by=Conflict, naming=("dismissed",)):
        actions.confirm(finding_id=finding.uuid, actor=ravi, seen="open")

    finding.refresh_from_db()
    assert (finding.status, finding.reviewed_by) == ("dismissed", lee)


def test_findings_are_sent_as_a_queue_with_confirmed_and_highest_scores_first(dataset, ravi, ana):
    weakest = Finding.objects.filter(kind="label_conflict").order_by("score").first()
    actions.confirm(finding_id=weakest.uuid, actor=ravi)
    queue = actions.send(
        dataset_id=dataset.uuid, kind="label_conflict", actor=ravi, name="Conflicts", overlap=2
    )
    first = list(weakest.group.members.order_by("item_id").values_list("item_id", flat=True))
    slots = list(
        Slot.objects.filter(queue=queue).order_by("priority", "id").values_list("item_id", flat=True)
    )

    assert (queue.source, queue.items_total, queue.slots_total, queue.overlap) == ("items", 7, 14, 2)
    assert queue.filled_at is not None
    assert slots[:6] == [pk for pk in first for _ in range(2)]
    assert sorted(set(slots)) == list(Item.objects.order_by("id").values_list("pk", flat=True))
    assert set(Finding.objects.filter(kind="label_conflict").values_list("queue", flat=True)) == {queue.pk}
    event = Event.objects.latest("id")
    payload = json.loads(event.canonical)["payload"]
    assert (event.verb, payload["findings"], payload["items"]) == ("scanning.sent", 3, 7)
    assert claim(queue_id=queue.uuid, actor=ana)[0].item_id == first[0]


def test_findings_in_a_queue_are_not_sent_twice_unless_it_was_closed(dataset, ravi):
    queue = actions.send(dataset_id=dataset.uuid, kind="label_conflict", actor=ravi, name="First", limit=4)
    assert queue.items_total == 4
    rest = actions.send(dataset_id=dataset.uuid, kind="label_conflict", actor=ravi, name="Rest")
    assert rest.items_total == 3
    with refused("kind", naming=("200",)):
        actions.send(dataset_id=dataset.uuid, kind="label_conflict", actor=ravi, name="Third")
    assert Queue.objects.count() == 2
    close_queue(queue_id=rest.uuid, actor=ravi)

    assert (
        actions.send(dataset_id=dataset.uuid, kind="label_conflict", actor=ravi, name="Again").items_total
        == 3
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "spelling"},
        {"limit": 0},
        {"limit": 1_001},
        {"limit": 501, "overlap": 2},
        {"name": " "},
        {"limit": 1},
        {"overlap": 6},
    ],
)
def test_an_invalid_queue_is_refused_and_nothing_is_sent(dataset, ravi, wrong):
    with pytest.raises(Refused):
        actions.send(
            **{
                "dataset_id": dataset.uuid,
                "kind": "label_conflict",
                "actor": ravi,
                "name": "Conflicts",
                "limit": 100,
            }
            | wrong
        )

    assert not Queue.objects.exists()
    assert not Finding.objects.exclude(queue=None).exists()


def test_engineers_cannot_send_findings(dataset, mia):
    with pytest.raises(PermissionDenied):
        actions.send(dataset_id=dataset.uuid, kind="label_conflict", actor=mia, name="Conflicts")

    assert not Queue.objects.exists()


def test_a_queue_of_chosen_items_refuses_items_of_another_dataset(dataset, project, ana, ravi):
    other = make_dataset(project, ana)
    import_texts(other, [("elsewhere", "card")], ana)
    for items in ([], [other.items.get().pk]):
        with refused("source"):
            open_queue(dataset_id=dataset.uuid, actor=ravi, name="Chosen", source="items", item_ids=items)

    assert not Queue.objects.exists()
