"""The job that measures the labels of a queue."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from datasets_app.prelabels.models import Suggestion
from datasets_app.quality import agreement
from datasets_app.quality.actions.quality import measure_due, measure_quality
from datasets_app.quality.models import Difference, QualityReport
from datasets_app.quality.queries import answers as reading
from datasets_app.quality.queries.answers import answers_by_item, decided, ordered_labels, places_of
from datasets_app.quality.queries.quality import Cell, behind, report_of
from datasets_app.queues.actions.answers import undo
from datasets_app.queues.models import Queue
from datasets_app.review.actions.reviews import adjudicate, return_to_annotators
from datasets_app.schemas.queries.labels import labels_by_name
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import State
from lifecycle.runtime.refusals import Conflict
from tests.support.jobs import run_jobs, run_ok
from tests.support.labeling import answer, label_items, label_value, make_dataset, make_queue, queue_items
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
ANA = ["card"] * 10 + ["billing"] * 14
BEN = ["card"] * 8 + ["billing"] * 15 + ["transfer"]


@pytest.fixture
def queue(project, mia, ana, ben) -> Queue:
    made = make_queue(make_dataset(project, mia, [f"text {n}" for n in range(24)]), mia, overlap=2)
    label_items(made, {ana: ANA, ben: BEN})
    return made


@pytest.fixture
def report(queue, mia) -> QualityReport:
    return measure(queue, mia)


def measure(queue, actor) -> QualityReport:
    measure_quality(queue_id=queue.uuid, actor=actor)
    run_ok()
    return report_of(queue)


def coefficient(report, name):
    return next(each for each in report.figures["coefficients"] if each["name"] == name)


def test_the_report_equals_the_pure_functions(report, mia):
    units = [[("ana", one), ("ben", other)] for one, other in zip(ANA, BEN, strict=True)]

    assert coefficient(report, "percent")["value"] == pytest.approx(21 / 24, abs=1e-5)
    assert coefficient(report, "alpha")["value"] == pytest.approx(
        agreement.krippendorff_alpha(units), abs=1e-5
    )
    assert coefficient(report, "fleiss")["value"] == pytest.approx(
        agreement.fleiss_kappa(agreement.counts(units)), abs=1e-5
    )
    assert (report.edition, report.slots_done, report.figures["annotations"], report.figures["items"]) == (
        1,
        48,
        48,
        24,
    )
    assert report.created_by == mia


def test_pairs_of_people_and_of_labels_are_counted(report, queue, ana, ben):
    kappa = agreement.cohen_kappa(list(zip(ANA, BEN, strict=True)))
    [[one, other, n, equal, found, low, high]] = report.figures["pairs"]
    assert ([one, other], n, equal, found) == (
        sorted([ana.pk, ben.pk]),
        24,
        21,
        pytest.approx(kappa, abs=1e-5),
    )
    assert low < found < high
    labels = [queue.schema.labels.get(stable_id=each).name for each in report.figures["labels"]]
    assert labels == ["billing", "card", "transfer"]
    assert report.figures["confusion"] == [[0, 1, 2], [0, 2, 1], [0, 0, 13], [1, 1, 8]]


def test_every_difference_is_listed_behind_its_cells(report, queue):
    names = [{row.first.name, row.second.name} for row in Difference.objects.order_by("id")]
    assert names == [{"billing", "card"}, {"billing", "card"}, {"billing", "transfer"}]
    labels = labels_by_name(queue.schema)
    mixed = behind(report, Cell(labels=(labels["card"], labels["billing"])))
    assert [row.item.text for row in mixed] == ["text 8", "text 9"]
    seats = tuple(queue.seats.order_by("id"))
    assert behind(report, Cell(seats=seats)).count() == 3


def test_an_item_is_listed_once_per_pair_of_labels(project, mia, ana, ben, ravi):
    queue = make_queue(make_dataset(project, mia, ["one", "two"]), mia, overlap=3)
    label_items(queue, {ana: ["card", "card"], ben: ["card", "billing"], ravi: ["billing", "transfer"]})

    report = measure(queue, mia)

    labels = labels_by_name(queue.schema)
    rows = behind(report, Cell(labels=(labels["card"], labels["billing"])))
    assert [row.item.text for row in rows] == ["one", "two"]
    assert report.figures["confusion"] == [[0, 1, 2], [0, 2, 1], [1, 2, 1], [1, 1, 1]]
    assert Difference.objects.count() == 5


def test_an_answer_that_was_undone_or_replaced_counts_no_more(queue, mia, ana):
    first = queue_items(queue)[0]
    answer(queue, ana, first, "transfer")
    undo(queue_id=queue.uuid, actor=ana, client_key=uuid4())

    report = measure(queue, mia)

    assert (report.figures["annotations"], report.figures["items"]) == (47, 23)
    assert report.figures["people"][str(ana.pk)]["annotations"] == 23


def test_agreement_with_decisions_leaves_out_those_that_rest_on_one_person(project, mia, ana, ben, ravi):
    dataset = make_dataset(project, mia, ["one", "two", "three"])
    pair = make_queue(dataset, mia, overlap=2)
    label_items(pair, {ana: ["card", "card", ""], ben: ["card", "billing", ""]})
    two = queue_items(pair)[1]
    billing = labels_by_name(pair.schema)["billing"]
    adjudicate(queue_id=pair.uuid, item_id=two.uuid, actor=ravi, value=label_value(billing))
    single = make_queue(dataset, mia, name="Batch 2")
    label_items(single, {ana: ["card"]})

    found = measure(pair, mia).figures["people"]

    assert [(found[str(who.pk)]["judged"], found[str(who.pk)]["right"]) for who in (ana, ben)] == [
        (2, 1),
        (2, 2),
    ]
    assert measure(single, mia).figures["people"][str(ana.pk)]["judged"] == 0


def test_a_returned_item_counts_for_each_who_had_answered_it(queue, mia, ana, ben, ravi):
    first, second = queue_items(queue)[8:10]
    return_to_annotators(queue_id=queue.uuid, item_id=first.uuid, actor=ravi, comment="Look again.")
    answer(queue, ana, first, "billing")
    return_to_annotators(queue_id=queue.uuid, item_id=first.uuid, actor=ravi, comment="And again.")
    return_to_annotators(queue_id=queue.uuid, item_id=second.uuid, actor=ravi, comment="This too.")

    found = measure(queue, mia).figures["people"]

    assert [found[str(who.pk)]["sent_back"] for who in (ana, ben)] == [3, 2]


@pytest.mark.postgres
def test_what_was_suggested_is_compared_with_the_answer(project, mia, ana, ben, ravi):
    queue = make_queue(make_dataset(project, mia, ["one", "two"]), mia, overlap=2, hidden_share=0)
    labels, items = labels_by_name(queue.schema), queue_items(queue)
    shown = [
        Suggestion.objects.create(
            item=item,
            label=labels["card"],
            score=0.9,
            source="function",
            source_digest="d" * 64,
            source_name="rule",
        )
        for item in items
    ]
    for item, suggestion in zip(items, shown, strict=True):
        answer(queue, ana, item, "card", prelabel_id=suggestion.pk, seconds=4)
        answer(queue, ben, item, "billing", prelabel_id=suggestion.pk, seconds=8)
    adjudicate(queue_id=queue.uuid, item_id=items[0].uuid, actor=ravi, value=label_value(labels["billing"]))

    found = measure(queue, mia).figures["people"]

    one, other = found[str(ana.pk)], found[str(ben.pk)]
    assert [
        (each["shown"], each["accepted"], each["wrong_shown"], each["wrong_taken"]) for each in (one, other)
    ] == [
        (2, 2, 1, 1),
        (2, 0, 1, 0),
    ]
    assert (one["median_seconds"], other["median_seconds"]) == (
        pytest.approx(4, rel=0.01),
        pytest.approx(8, rel=0.01),
    )


def test_items_are_whole_however_few_answers_are_read_at_a_time(report, queue, mia, monkeypatch):
    monkeypatch.setattr(reading, "ROWS", 5)

    parts = measure(queue, mia)

    assert parts.figures == report.figures
    assert parts.edition == 2


def test_a_new_edition_takes_the_old_rows_away(report, queue, mia, ana):
    answer(queue, ana, queue_items(queue)[8], "billing")

    second = measure(queue, mia)

    assert set(Difference.objects.values_list("edition", flat=True)) == {second.edition} == {2}
    assert Difference.objects.count() == 2


@pytest.mark.postgres
def test_what_a_crashed_attempt_left_is_not_counted_twice(report, queue, mia):
    row = Difference.objects.first()
    row.pk, row.edition = None, 2
    row.save(force_insert=True)

    again = measure(queue, mia)

    assert (report.edition, again.edition, Difference.objects.count()) == (1, 2, 3)


def test_a_cancelled_measure_leaves_no_report(queue, mia):
    job = measure_quality(queue_id=queue.uuid, actor=mia)
    jobs.cancel(job.uuid, mia)
    run_jobs()

    job.refresh_from_db()
    assert (job.state, QualityReport.objects.count(), Difference.objects.count()) == (State.CANCELLED, 0, 0)


def test_there_is_one_measure_of_a_queue_at_a_time(queue, mia, lee):
    first = measure_quality(queue_id=queue.uuid, actor=mia)

    assert measure_quality(queue_id=queue.uuid, actor=lee) == first
    assert Job.objects.count() == 1


@pytest.mark.parametrize("name", ["ana", "gita", "omar", "aida", "otto"])
def test_who_may_not_manage_starts_no_measure(queue, name, request):
    with pytest.raises(PermissionDenied):
        measure_quality(queue_id=queue.uuid, actor=request.getfixturevalue(name))

    assert Job.objects.count() == 0


def test_a_queue_without_an_answer_is_not_measured(project, mia):
    queue = make_queue(make_dataset(project, mia, ["one"]), mia)

    with refused(by=Conflict, naming=(queue.name,)):
        measure_quality(queue_id=queue.uuid, actor=mia)

    assert Job.objects.count() == 0


def test_a_queue_is_measured_automatically_and_again_a_day_after_a_change(queue, mia, ana):
    now = timezone.now()
    assert (measure_due(now), Job.objects.get().created_by) == (1, None)
    run_ok()
    tomorrow = timezone.now() + timedelta(days=1, minutes=1)

    assert measure_due(tomorrow) == 0  # nothing has changed
    answer(queue, ana, queue_items(queue)[0], "billing")
    assert measure_due(timezone.now()) == 0  # changed, but the report is fresh
    assert measure_due(tomorrow) == 1


def test_reading_takes_a_few_statements_a_page_and_none_an_item(queue, mia):
    places = places_of(queue.schema, ordered_labels(queue.schema))

    with CaptureQueriesContext(connection) as captured:
        read = [decided([unit[0].item for unit in items], places) for items in answers_by_item(queue, places)]

    assert (len(captured), len(read[0])) == (3, 21)
