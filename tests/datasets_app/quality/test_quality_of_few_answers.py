"""Where there are few answers, and no other queue in the database."""

import pytest
from django.utils import timezone

from datasets_app.quality.actions.quality import measure_due, measure_quality
from datasets_app.quality.queries.quality import report_of
from datasets_app.queues.models import Annotation, Queue
from lifecycle.ground.jobs.models import Job
from tests.support.jobs import run_ok
from tests.support.labeling import label_items, make_dataset, make_queue

pytestmark = pytest.mark.django_db


@pytest.mark.postgres
def test_few_annotations_are_not_measured_automatically(project, mia):
    queue = make_queue(make_dataset(project, mia, ["one"]), mia)
    Queue.objects.filter(pk=queue.pk).update(slots_done=19)
    assert measure_due(timezone.now()) == 0
    assert Job.objects.count() == 0

    Queue.objects.filter(pk=queue.pk).update(slots_done=20)

    assert measure_due(timezone.now()) == 1


def test_one_answer_an_item_has_no_agreement_and_the_rest_is_measured(project, mia, ana):
    queue = make_queue(make_dataset(project, mia, ["one", "two", "three"]), mia)
    label_items(queue, {ana: ["card"] * 3})

    measure_quality(queue_id=queue.uuid, actor=mia)
    run_ok()

    report = report_of(queue)
    [alpha] = [each for each in report.figures["coefficients"] if each["name"] == "alpha"]
    assert alpha["why"] == "Too few: 0 of 20 items."
    assert (report.figures["people"][str(ana.pk)]["annotations"], report.figures["days"]) == (
        3,
        [[timezone.now().date().isoformat(), 3]],
    )
    assert Annotation.objects.count() == 3
    assert Queue.objects.get().slots_done == 3
