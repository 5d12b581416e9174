"""Annotations that agree are accepted together after a check of a sample, from a shell."""

from __future__ import annotations

import pytest

from datasets_app.queues.models import Decision
from datasets_app.review.actions.reviews import adjudicate
from datasets_app.review.models import SpotCheck
from datasets_app.review.queries.checks import to_review
from datasets_app.schemas.queries.labels import labels_by_name
from registry.ground.ledger.models import Event
from tests.support.labeling import label_items, label_value, make_dataset, make_queue


@pytest.fixture
def queue(project, mia, ana, ben):
    made = make_queue(
        make_dataset(project, mia, [f"text {n}" for n in range(6)]), mia, overlap=2, acceptance="reviewer"
    )
    label_items(made, {ana: ["card"] * 6, ben: ["card"] * 6})
    return made


def look_through(queue, ravi):
    value = label_value(labels_by_name(queue.schema)["card"])
    for row in to_review(SpotCheck.objects.get(state="open")):
        adjudicate(queue_id=queue.uuid, item_id=row.item.uuid, actor=ravi, value=value)


def test_a_check_shows_what_is_pending_draws_a_sample_and_accepts_the_rest(as_person, queue, ravi, site):
    command = as_person(ravi)
    assert command("checks", "show", "Batch 1").out.splitlines() == [
        "6 agreed items wait to be accepted.",
        f"Draw a sample: lifecycle checks draw {queue.uuid}",
    ]

    drawn = command("checks", "draw", "Batch 1", "--size", "2", "--tolerated", "0")
    assert drawn.out.splitlines() == [
        "Sample     2 items of 6 that waited, up to 0 % may be wrong",
        "Accepts    with 0 wrong or fewer: a lot with 2.5 % wrong 95 times in 100, one with 68.4 % 10 times",
        "Reviewed   0 correct, 0 wrong, 2 to go",
        f"Review on  {site}/labeling/{queue.uuid}/review/?order=sample",
    ]
    early = command("checks", "accept", "Batch 1")
    assert (early.code, early.err) == (
        1,
        "2 of the sample's 2 items haven't been reviewed. Resolve them first.\n",
    )
    look_through(queue, ravi)

    shown = command("checks", "show", "Batch 1").out.splitlines()
    assert shown[4:] == [
        "Reviewed  2 correct, 0 wrong, 0 to go",
        f"Accept    lifecycle checks accept {queue.uuid}",
    ]
    result = command("checks", "accept", "Batch 1")
    assert (result.code, result.out) == (0, "4 items of Batch 1 get their agreed label.\n")
    assert Decision.objects.filter(how="accepted").count() == 4
    assert command("checks", "show", "Batch 1").out == "0 agreed items wait to be accepted.\n"


def test_a_check_is_dropped_and_nothing_is_accepted(as_person, queue, ravi):
    command = as_person(ravi)
    none = command("checks", "drop", "Batch 1")
    assert (none.code, none.err) == (
        1,
        f"Batch 1 has no sample check. Draw a sample: lifecycle checks draw {queue.uuid}\n",
    )
    command("checks", "draw", "Batch 1")

    result = command("checks", "drop", "Batch 1")

    assert result.out == "The check of Batch 1 is dropped; nothing was accepted.\n"
    assert (SpotCheck.objects.get().state, Decision.objects.count()) == ("dropped", 0)


def test_drawing_a_sample_needs_the_role(as_person, queue, mia):
    command, before = as_person(mia), Event.objects.count()

    result = command("checks", "draw", "Batch 1")

    assert (result.code, result.out, SpotCheck.objects.count(), Event.objects.count()) == (1, "", 0, before)
