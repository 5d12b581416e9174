"""A snapshot has its label sources and annotator agreement, counted over its rows when it is frozen."""

from __future__ import annotations

import pytest

from datasets_app.quality import agreement as measures
from datasets_app.quality.actions.quality import measure_quality
from datasets_app.quality.queries.quality import queue_agreement
from datasets_app.queues.models import Decision, Dispute
from datasets_app.review.actions.reviews import adjudicate
from datasets_app.snapshots import counting, protocol
from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Snapshot
from registry.catalog import queries as catalog
from tests.support.datasets import import_texts
from tests.support.datasets import make_dataset as make_inbox
from tests.support.jobs import run_ok
from tests.support.labeling import (
    add_items,
    label_items,
    label_value,
    make_annotator,
    make_dataset,
    make_queue,
    queue_items,
)
from tests.support.snapshots import freeze

pytestmark = pytest.mark.django_db
N = 12
ANA = ["billing", "card"] * (N // 2)
BEN = [*ANA[:-2], *ANA[-2:][::-1]]  # differs on the last two, which Ravi adjudicates


@pytest.fixture
def queue(project, mia, ana, ben, ravi):
    """A queue of twelve labeled items with two annotations each; another item is labeled by a third person
    alone.
    """
    dataset = make_dataset(project, mia, [f"text {n}" for n in range(N)])
    queue = make_queue(dataset, mia, schema=("billing", "card"), overlap=2)
    label_items(queue, {ana: ANA, ben: BEN})
    card = queue.schema.labels.get(name="card")
    for dispute in Dispute.objects.filter(queue=queue).select_related("item"):
        adjudicate(queue_id=queue.uuid, item_id=dispute.item.uuid, actor=ravi, value=label_value(card))
    alone = add_items(dataset, mia, ["alone"])
    label_items(make_queue(dataset, mia, name="Alone"), {make_annotator(project, "chloe"): ["card"]}, alone)
    return queue


@pytest.fixture
def frozen(queue, mia, monkeypatch) -> Snapshot:
    monkeypatch.setattr("datasets_app.quality.agreement.tally.FEWEST", N)
    return freeze(queue.dataset, mia)


@pytest.mark.postgres
def test_its_agreement_is_the_figure_of_the_queues_page(queue, frozen, mia):
    measure_quality(queue_id=queue.uuid, actor=mia)
    run_ok()

    found, shown = frozen.counts["label_protocol"]["agreement"], queue_agreement(queue)

    assert found["value"] == round(
        measures.krippendorff_alpha([[(1, a), (2, b)] for a, b in zip(ANA, BEN, strict=True)]), 5
    )
    assert (found["coefficient"], found["value"], found["n"]) == (shown.name, shown.value, shown.items)
    assert (found["n"], found["annotators"]) == (N, 2)
    assert found["low"] < found["value"] < found["high"]


def test_later_decisions_do_not_change_the_label_protocol(queue, frozen, ravi):
    counted = {"unanimous": 10, "adjudicated": 2, "single": 1}
    assert frozen.counts["label_protocol"]["decisions"] == counted

    card = queue.schema.labels.get(name="card")
    adjudicate(
        queue_id=queue.uuid,
        item_id=queue_items(queue)[0].uuid,
        actor=ravi,
        value=label_value(card),
        reason="Looked again.",
    )

    assert Decision.objects.filter(how="adjudicated").count() == 3
    assert catalog.snapshot_facts(frozen)["label_protocol"] == frozen.counts["label_protocol"]
    assert catalog.snapshot_facts(frozen)["label_protocol"]["decisions"] == counted


def test_labels_of_a_file_have_no_agreement(project, ana, mia, client_for):
    dataset = make_inbox(project, ana)
    import_texts(dataset, [(f"text {label} {n}", label) for label in ("card", "cash") for n in range(4)], ana)
    snapshot = freeze(dataset, mia)

    made = snapshot.counts["label_protocol"]

    assert made["decisions"] == {"imported": 8}
    assert (made["agreement"]["n"], made["agreement"]["annotators"], made["agreement"]["value"]) == (
        0,
        0,
        None,
    )
    shown = client_for(mia).get(f"/dataset-versions/{snapshot.uuid}/").context
    assert (shown["decided_by"], shown["agreement"]) == ("8 imported", protocol.NOT_MEASURED)


def test_pages_of_rows_are_summed_up(frozen, monkeypatch):
    monkeypatch.setattr(counting, "BATCH", 4)
    steps = []

    found = counting.label_protocol(frozen.schema, snapshots.open_snapshot(frozen), steps.append)

    assert found == frozen.counts["label_protocol"]
    assert steps == [4, 8, 12, 13]


def test_the_label_protocol_as_text():
    measured = {
        "coefficient": "Krippendorff's alpha, nominal",
        "value": 0.86712,
        "low": 0.8,
        "high": 0.914,
        "n": 150,
        "annotators": 3,
    }
    few = measured | {"value": None, "n": 1, "annotators": 2, "why": "Too few: 1 of 20 items."}
    lines = [
        protocol.agreement({"agreement": each})
        for each in (measured, measured | {"low": None, "high": None}, few, few | {"n": 0})
    ]

    assert lines == [
        "Krippendorff's alpha, nominal: 0.867, 95\u00a0% interval 0.800 to 0.914, 150 items, 3 annotators",
        "Krippendorff's alpha, nominal: 0.867, interval not measured, 150 items, 3 annotators",
        "Krippendorff's alpha, nominal: too few: 1 of 20 items (1 item, 2 annotators)",
        protocol.NOT_MEASURED,
    ]
    assert (
        protocol.decided_by({"decisions": {"adjudicated": 20, "imported": 1280}})
        == "1,280 imported, 20 adjudicated"
    )
