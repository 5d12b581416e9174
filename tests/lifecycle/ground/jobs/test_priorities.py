"""The order of a queue, who may change it, and the place that a job shows."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils import timezone

from lifecycle.ground.jobs import actions, queries
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import Device, Priority, State
from lifecycle.runtime.refusals import Conflict
from registry.ground.ledger.models import Event
from tests.support.jobs import kind, run_jobs
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}
URGENT, NORMAL, LATER = Priority


@pytest.fixture
def done():
    """A kind of work of the training queue that notes each execution."""
    seen: list[str] = []
    with kind(
        "test.train", lambda ctx: seen.append(ctx.args["name"]), label="Train a test", queue="training"
    ):
        yield seen


def queue(name, priority=NORMAL, project=None, actor=None, **options) -> Job:
    return actions.enqueue(
        "test.train", actor=actor, project=project, args={"name": name}, priority=priority, **options
    )


def test_the_urgent_go_first_and_among_equals_the_one_that_waited_longest(done):
    for name, priority in (
        ("late", LATER),
        ("one", NORMAL),
        ("two", NORMAL),
        ("now", URGENT),
        ("last", LATER),
    ):
        queue(name, priority)

    run_jobs("training")

    assert done == ["now", "one", "two", "late", "last"]


def test_a_job_that_was_made_urgent_is_the_next_and_the_trail_knows_who_did_it(done, project, mia, ana):
    queue("first", project=project, actor=ana)
    moved = queue("second", project=project, actor=ana)

    actions.prioritise(moved.uuid, URGENT, mia, seen=NORMAL)
    run_jobs("training")

    assert done == ["second", "first"]
    event = Event.objects.get(verb="jobs.prioritised")
    payload = json.loads(event.canonical)["payload"]
    assert (event.object_id, event.actor, payload["old"], payload["new"]) == (
        str(moved.uuid),
        str(mia.uuid),
        "normal",
        "urgent",
    )


def test_changing_it_twice_is_idempotent(done, project, mia):
    job = queue("one", project=project, actor=mia)

    for _ in range(2):  # a form that was sent twice
        actions.prioritise(job.uuid, LATER, mia, seen=NORMAL)

    job.refresh_from_db()
    assert job.priority == LATER
    assert Event.objects.filter(verb="jobs.prioritised").count() == 1


def test_a_page_that_is_out_of_date_changes_nothing(done, project, mia):
    job = queue("one", project=project, actor=mia)
    actions.prioritise(job.uuid, URGENT, mia)

    with refused(by=Conflict, naming=("urgent",)):
        actions.prioritise(job.uuid, LATER, mia, seen=NORMAL)

    job.refresh_from_db()
    assert (job.priority, Event.objects.filter(verb="jobs.prioritised").count()) == (URGENT, 1)


def test_a_job_that_runs_or_has_ended_is_in_no_line(done, project, mia):
    job = queue("one", project=project, actor=mia)
    actions.claim("training")

    with refused(by=Conflict, naming=("running",)):
        actions.prioritise(job.uuid, URGENT, mia)
    run_jobs()

    job.refresh_from_db()
    assert (job.priority, Event.objects.filter(verb="jobs.prioritised").count()) == (NORMAL, 0)


def test_an_analyst_moves_her_own_jobs_and_no_others(done, project, ana, mia):
    own, other = queue("hers", project=project, actor=ana), queue("another", project=project, actor=mia)

    actions.prioritise(own.uuid, LATER, ana)
    with pytest.raises(PermissionDenied):
        actions.prioritise(other.uuid, LATER, ana)

    own.refresh_from_db()
    other.refresh_from_db()
    assert (own.priority, other.priority) == (LATER, NORMAL)


def test_a_stranger_finds_nothing_and_changes_nothing(done, project, mia, otto, client_for):
    job = queue("one", project=project, actor=mia)
    client = client_for(otto)

    answers = [
        client.post(reverse("jobs:priority", args=[job.uuid]), {"priority": "urgent"}).status_code,
        client.post(f"/api/v1/jobs/{job.uuid}/priority/", {"priority": "urgent"}).status_code,
    ]

    job.refresh_from_db()
    assert (answers, job.priority) == ([404, 404], NORMAL)


# ── The place in line ───────────────────────────────────────────────────────
def test_places_count_what_goes_first_and_not_what_is_tried_again_later(done):
    late, two, now = queue("late", LATER), queue("two"), queue("now", URGENT)
    again = queue("again", URGENT)
    Job.objects.filter(pk=again.pk).update(available_at=timezone.now() + timedelta(minutes=5))

    found = queries.line_up(Job.objects.all()).places

    assert found == {now.pk: 1, two.pk: 2, late.pk: 3}


def test_places_count_among_those_that_the_same_workers_could_take(done):
    gpu, cpu = queue("gpu", device=Device.GPU), queue("cpu", device=Device.CPU)
    open_, second = queue("any"), queue("gpu 2", device=Device.GPU)

    found = queries.line_up(Job.objects.all()).places

    assert found == {gpu.pk: 1, cpu.pk: 1, open_.pk: 3, second.pk: 3}


@pytest.mark.postgres
def test_a_job_of_another_queue_is_in_another_line(done):
    with kind("test.small", lambda ctx: None):
        small = actions.enqueue("test.small", actor=None, project=None, args={})
        job = queue("one")
        found = queries.line_up(Job.objects.all()).places

    assert found == {small.pk: 1, job.pk: 1}


def test_places_take_two_statements_for_any_number_of_jobs(done, django_assert_num_queries):
    for each in range(9):
        queue(str(each))
    jobs = list(Job.objects.all())

    with django_assert_num_queries(2):
        queries.line_up(jobs)
    with django_assert_num_queries(0):
        queries.line_up([])


@pytest.mark.parametrize(
    ("place", "priority", "text"),
    [
        (1, NORMAL, "1st in queue"),
        (2, LATER, "2nd in queue, later"),
        (11, URGENT, "11th in queue, urgent"),
        (None, URGENT, ""),
    ],
)
def test_the_place_is_shown_in_words(place, priority, text):
    assert queries.standing(Job(priority=priority), place) == text


# ── Pages and the API ───────────────────────────────────────────────────────
def test_the_page_shows_the_place_and_offers_the_other_priorities(done, project, mia, client_for):
    queue("first", project=project, actor=mia)
    job = queue("second", project=project, actor=mia)

    text = client_for(mia).get(reverse("jobs:progress", args=[job.uuid]), **HTMX).content.decode()

    assert f'<span class="standing">{queries.standing(job, 2)}</span>' in text
    assert re.findall(r'name="priority" value="(\w+)"', text) == ["urgent", "later"]


def test_who_may_not_move_a_job_is_offered_nothing(done, project, mia, ana, client_for):
    job = queue("one", project=project, actor=mia)

    page = client_for(ana).get(reverse("jobs:progress", args=[job.uuid]), **HTMX).content.decode()
    answer = client_for(ana).post(
        reverse("jobs:priority", args=[job.uuid]), {"priority": "urgent", "seen": "normal"}
    )

    job.refresh_from_db()
    assert f'<span class="standing">{queries.standing(job, 1)}</span>' in page
    assert ('name="priority"' in page, answer.status_code, job.priority) == (False, 403, NORMAL)


@pytest.mark.postgres
@pytest.mark.parametrize(("headers", "status"), [(HTMX, 200), ({}, 302)])
def test_a_button_moves_it_with_and_without_a_script(done, project, mia, client_for, headers, status):
    job = queue("one", project=project, actor=mia)

    answer = client_for(mia).post(
        reverse("jobs:priority", args=[job.uuid]), {"priority": "later", "seen": "normal"}, **headers
    )

    job.refresh_from_db()
    assert (answer.status_code, job.priority) == (status, LATER)


def test_a_form_without_a_priority_is_refused(done, project, mia, client_for):
    job = queue("one", project=project, actor=mia)

    answer = client_for(mia).post(reverse("jobs:priority", args=[job.uuid]), {"priority": "now"})

    job.refresh_from_db()
    assert (answer.status_code, job.priority) == (422, NORMAL)


@pytest.mark.postgres
def test_the_api_shows_and_changes_it(done, project, mia, client_for):
    client, job = client_for(mia), queue("one", project=project, actor=mia)

    before = client.get(f"/api/v1/jobs/{job.uuid}/").json()
    after = client.post(
        f"/api/v1/jobs/{job.uuid}/priority/", {"priority": "urgent", "seen": "normal"}, "application/json"
    )
    stale = client.post(
        f"/api/v1/jobs/{job.uuid}/priority/", {"priority": "later", "seen": "normal"}, "application/json"
    )
    wrong = client.post(f"/api/v1/jobs/{job.uuid}/priority/", {"priority": 1}, "application/json")

    assert (before["priority"], before["device"], before["place"]) == ("normal", "any", 1)
    assert (after.status_code, after.json()["priority"]) == (200, "urgent")
    assert (stale.status_code, stale.json()["code"], wrong.status_code) == (409, "conflict", 400)
    job.refresh_from_db()
    assert (job.priority, job.state) == (URGENT, State.QUEUED)
