"""The quality of a queue's labels over REST."""

import pytest
from django.urls import reverse

from datasets_app.quality.models import QualityReport
from datasets_app.queues.models import Queue
from lifecycle.ground.jobs.models import Job
from tests.support.jobs import run_ok
from tests.support.labeling import label_items, make_dataset, make_queue

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(project, mia, ana, ben) -> Queue:
    made = make_queue(make_dataset(project, mia, [f"text {n}" for n in range(24)]), mia, overlap=3)
    label_items(made, {ana: ["card"] * 24, ben: ["card"] * 20 + ["billing"] * 4})
    return made


def address(queue):
    return reverse("api-labeling-quality", args=[queue.uuid])


def test_a_measure_is_started_and_read(queue, mia, lee, ana, ben, client_for):
    started = client_for(mia).post(address(queue))
    run_ok()
    found = client_for(lee).get(address(queue)).json()

    assert (started.status_code, started.json()["kind"]) == (202, "quality.measure")
    assert (found["edition"], found["items"], found["annotations"], found["left"]) == (1, 24, 48, 24)
    assert [(each["name"], each["n"]) for each in found["coefficients"]] == [
        ("percent", 24),
        ("alpha", 24),
        ("fleiss", 24),
        ("alpha_ordinal", 24),
    ]
    assert [(each["user"], each["done"]) for each in found["people"]] == [
        (str(ana.uuid), 24),
        (str(ben.uuid), 24),
    ]
    assert (found["days_left"], found["days_left_why"]) == (pytest.approx(0.5), "")
    stable = {label.name: str(label.stable_id) for label in queue.schema.labels.all()}
    assert found["confusion"][0] == {"first": stable["billing"], "second": stable["card"], "items": 4}


def test_only_leads_read_figures_of_others(queue, mia, client_for):
    client_for(mia).post(address(queue))
    run_ok()

    assert client_for(mia).get(address(queue)).json()["people"] == []


def test_before_the_first_measure_all_is_empty(queue, mia, client_for):
    found = client_for(mia).get(address(queue)).json()

    assert (found["as_of"], found["coefficients"], found["left"], found["days_left_why"]) == (
        None,
        [],
        24,
        "Not measured yet.",
    )


@pytest.mark.parametrize(("name", "status"), [("ana", 403), ("gita", 403), ("otto", 404)])
def test_others_are_refused_and_nothing_is_measured(queue, name, status, client_for, request):
    client = client_for(request.getfixturevalue(name))

    assert (client.get(address(queue)).status_code, client.post(address(queue)).status_code) == (
        status,
        status,
    )
    assert (Job.objects.count(), QualityReport.objects.count()) == (0, 0)
