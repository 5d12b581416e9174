"""Home lists each person's tasks as sentences with links, in a constant number of statements."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from datasets_app.queues.models import Queue
from lifecycle.roof.home.waiting import tasks
from monitoring.alerts.models import Alert
from registry.ground.access.queries import roles_by_project
from registry.ground.access.roles import Role
from tests.support import datasets as files
from tests.support import labeling, registry
from tests.support.people import make_person, make_project


def tasks_of(user):
    return [(task.fact, task.link, task.url) for task in tasks(user, roles_by_project(user))]


@pytest.fixture
def split_queue(project, ana, ravi):
    """Two annotators, three items: on two they disagree, one has an answer of Ana alone."""
    ben = make_person("ben", project=project, role=Role.ANALYST)
    dataset = labeling.make_dataset(project, ana, ["one", "two", "three"])
    queue = labeling.make_queue(dataset, ravi, name="November inbox", overlap=2)
    first, second, third = labeling.queue_items(queue)
    for item in (first, second):
        labeling.answer(queue, ana, item, "billing")
        labeling.answer(queue, ben, item, "card")
    labeling.answer(queue, ana, third, "card")
    return queue


def test_an_adjudicator_sees_disagreements(split_queue, ravi):
    assert tasks_of(ravi) == [
        ("2 disagreements in November inbox", "Adjudicate items", f"/labeling/{split_queue.uuid}/review/")
    ]


def test_an_analyst_sees_only_queues_with_annotations_left_for_them(split_queue, ana):
    ben = make_person("ben")

    assert tasks_of(ana) == []
    assert tasks_of(ben) == [
        ("1 annotation left in November inbox", "Label items", f"/labeling/{split_queue.uuid}/bench/")
    ]


def test_nothing_waits_in_a_closed_queue(split_queue, ravi):
    Queue.objects.update(state=Queue.State.CLOSED)

    assert tasks_of(ravi) == tasks_of(make_person("ben")) == []


def test_an_old_page_does_not_vanish_behind_newer_tickets(project, omar):
    now = timezone.now()
    for at in range(26):
        Alert.objects.create(
            fingerprint=str(at),
            project=project,
            group="g",
            source="drill",
            severity="ticket" if at else "page",
            title=f"Alert {at}",
            text="Look.",
            first_at=now,
            last_at=now,
        )

    assert [fact for fact, _, _ in tasks_of(omar)] == [
        "Alert 0",
        "Alert 25",
        "Alert 24",
        "Alert 23",
        "Alert 22",
    ]


def test_an_uploader_sees_files_to_accept(project, ana, mia):
    upload = files.receive(
        files.make_dataset(project, ana), ana, files.csv_bytes([["hello"]], ["text"]), "rows.csv"
    )

    assert tasks_of(ana) == [
        ("rows.csv is ready to import", "Review import", f"/datasets/uploads/{upload.uuid}/")
    ]
    assert tasks_of(mia) == []


@pytest.fixture
def trained(project, mia, ravi):
    return registry.make_trained_run(registry.make_snapshot(project, ravi), mia)


def test_an_engineer_sees_unregistered_runs(trained, mia, lee):
    assert tasks_of(mia) == [
        (f"{trained} isn't registered", "Evaluate and register", f"/runs/{trained.uuid}/")
    ]
    assert tasks_of(lee) == []


@pytest.fixture
def request_in_review(project, mia, lee, ravi, gita):
    model = registry.make_model(project, mia)
    version = registry.make_version(project, mia, ravi, model=model)
    return registry.asked_request(version, registry.make_endpoint(model, lee), mia)


def test_a_request_waits_first_for_the_lead_then_for_governance_then_for_on_call(
    request_in_review, mia, lee, gita, omar
):
    ask = (
        f"Request {request_in_review.number} needs your approval",
        "Review request",
        f"/promotions/{request_in_review.uuid}/",
    )

    assert (tasks_of(lee), tasks_of(gita), tasks_of(omar)) == ([ask], [], [])

    registry.approve(request_in_review, lee)
    assert (tasks_of(lee), tasks_of(gita), tasks_of(omar)) == ([], [ask], [])

    registry.approve(request_in_review, gita)
    deploy = (
        f"Request {request_in_review.number} is approved but not deployed",
        "Deploy version",
        f"/endpoints/{request_in_review.endpoint.uuid}/",
    )
    assert (tasks_of(gita), tasks_of(omar), tasks_of(mia)) == ([], [deploy], [deploy])


def test_an_organisation_admin_sees_people_without_a_role(project, ana, adam):
    assert tasks_of(adam) == []

    make_person("otto")

    assert tasks_of(adam) == [("1 person without a role", "Assign roles", "/access/projects/")]


def test_an_outsider_sees_nothing(split_queue, trained, request_in_review, otto):
    assert tasks_of(otto) == []


def test_home_takes_the_same_statements_for_one_queue_and_for_many(project, split_queue, ravi, client_for):
    client = client_for(ravi)
    client.get("/")
    with CaptureQueriesContext(connection) as few:
        client.get("/")
    for at in range(6):
        other = make_project(f"other-{at}", f"Other {at}")
        make_person("ravi", project=other, role=Role.ADJUDICATOR)
        dataset = labeling.make_dataset(other, ravi, ["one"], slug=f"d{at}")
        labeling.make_queue(dataset, ravi, name=f"Queue {at}")
    Queue.objects.update(items_disputed=1)
    with CaptureQueriesContext(connection) as many:
        page = client.get("/").content.decode()

    assert len(many) == len(few)
    assert page.count("1 disagreement in ") >= 5


def test_a_hostile_name_of_a_queue_is_inert(split_queue, ravi, client_for):
    Queue.objects.update(name="<b>x</b>\u202e")

    page = client_for(ravi).get("/").content.decode()

    assert "<b>x</b>" not in page
    assert "\u202e" not in page
