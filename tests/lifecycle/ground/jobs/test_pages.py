"""What people see of background work, and what strangers do not."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from lifecycle.ground.jobs import actions, queries
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import Priority, State
from registry.ground.access.actions import revoke
from registry.ground.access.roles import Role
from registry.ground.ledger.models import Event
from tests.support.jobs import kind, run_jobs

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def job(project, mia):
    with kind(
        "test.work",
        lambda ctx: ctx.progress(3, 12, stage="Reading", unit="rows"),
        label="Import an upload",
        url=lambda job: "/somewhere/",
    ):
        yield actions.enqueue("test.work", actor=mia, project=project, args={})


def test_progress_of_a_waiting_job_polls_on(job, client_for, ana):
    answer = client_for(ana).get(reverse("jobs:progress", args=[job.uuid]), **HTMX)

    text = answer.content.decode()
    assert answer.status_code == 200
    assert f'id="job-{job.uuid}"' in text
    assert 'hx-trigger="every 2s"' in text
    assert "<html" not in text


def test_progress_of_a_finished_job_does_not_poll_and_shows_the_end(job, client_for, mia):
    run_jobs()

    answer = client_for(mia).get(reverse("jobs:progress", args=[job.uuid]), **HTMX)

    text = answer.content.decode()
    assert "every 2s" not in text
    assert "3 of 12 rows" in text
    assert 'class="st ok"' in text
    assert json.loads(answer["HX-Trigger"]) == {"job-ended": {"uuid": str(job.uuid), "state": "succeeded"}}


def test_same_address_is_a_page_without_javascript(job, client_for, mia):
    text = client_for(mia).get(reverse("jobs:progress", args=[job.uuid])).content.decode()

    assert "<html" in text
    assert "Import an upload" in text
    assert 'href="/somewhere/"' in text


def test_failed_job_shows_its_sentence_inert(job, client_for, mia):
    Job.objects.filter(pk=job.pk).update(
        state=State.FAILED, error="<b>1</b> row is bad.", next_step="Mend it.", finished_at=job.created_at
    )

    text = client_for(mia).get(reverse("jobs:progress", args=[job.uuid]), **HTMX).content.decode()

    assert "&lt;b&gt;1&lt;/b&gt; row is bad." in text
    assert "Mend it." in text


def test_a_job_is_shown_with_the_name_of_its_object_inert(mia, project, client_for):
    project.name = "Inbox <b>\u202e"
    with kind("test.work", print, label="Import"):
        made = actions.enqueue("test.work", actor=mia, project=project, args={}, subject=project)
        addresses = [reverse("jobs:list"), reverse("jobs:progress", args=[made.uuid])]
        pages = [client_for(mia).get(address).content.decode() for address in addresses]

    assert made.subject_name == "Inbox <b>\u202e"
    assert all("Import: Inbox &lt;b&gt;" in page and "\u202e" not in page for page in pages)


def test_stranger_gets_404_and_changes_nothing(job, client_for, otto):
    client = client_for(otto)

    answers = [
        client.get(reverse("jobs:progress", args=[job.uuid])).status_code,
        client.post(reverse("jobs:cancel", args=[job.uuid])).status_code,
        client.get(f"/api/v1/jobs/{job.uuid}/").status_code,
        client.post(f"/api/v1/jobs/{job.uuid}/cancel/").status_code,
        client.get(reverse("jobs:progress", args=[uuid4()])).status_code,
    ]

    assert answers == [404] * 5
    job.refresh_from_db()
    assert (job.state, job.cancel_requested_at) == (State.QUEUED, None)


def test_who_signed_in_nowhere_is_sent_to_sign_in(job, client):
    assert client.get(reverse("jobs:list")).status_code == 302
    assert client.get(reverse("jobs:progress", args=[job.uuid])).status_code == 302
    assert client.get(f"/api/v1/jobs/{job.uuid}/").status_code in (401, 403)


def test_engineer_cancels_and_the_trail_knows(job, client_for, mia):
    answer = client_for(mia).post(reverse("jobs:cancel", args=[job.uuid]), **HTMX)

    assert answer.status_code == 200
    assert answer.context["line"].job.state == State.CANCELLED
    assert "every 2s" not in answer.content.decode()
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    event = Event.objects.get(verb="jobs.cancelled")
    assert (event.object_id, event.actor) == (str(job.uuid), str(mia.uuid))


@pytest.mark.postgres
def test_plain_form_cancels_too(job, client_for, mia):
    answer = client_for(mia).post(reverse("jobs:cancel", args=[job.uuid]))

    assert answer.status_code == 302
    job.refresh_from_db()
    assert job.state == State.CANCELLED


def test_analyst_sees_but_does_not_cancel_the_job_of_another(job, client_for, mia, ana):
    client, cancel = client_for(ana), reverse("jobs:cancel", args=[job.uuid])

    mine, theirs = (
        each.get(reverse("jobs:progress", args=[job.uuid]), **HTMX).content.decode()
        for each in (client_for(mia), client)
    )
    answer = client.post(cancel)

    assert [f'action="{cancel}"' in page for page in (mine, theirs)] == [True, False]
    assert answer.status_code == 403
    job.refresh_from_db()
    assert (job.state, job.cancel_requested_at) == (State.QUEUED, None)
    assert not Event.objects.filter(verb="jobs.cancelled").exists()


@pytest.mark.postgres
@pytest.mark.parametrize("door", ["page", "api"])
def test_who_left_the_project_neither_sees_nor_stops_the_job_that_they_started(
    job, client_for, mia, project, door
):
    revoke(user=mia, role=Role.ENGINEER, root=project, actor=None)
    client, events = client_for(mia), Event.objects.count()
    one, every = (
        (f"/jobs/{job.uuid}/", "/jobs/") if door == "page" else (f"/api/v1/jobs/{job.uuid}/", "/api/v1/jobs/")
    )

    assert client.get(one).status_code == 404
    assert client.post(f"{one}cancel/").status_code == 404
    assert client.post(f"{one}priority/", {"priority": "urgent"}).status_code == 404
    assert "Import an upload" not in client.get(every).content.decode()
    assert str(job.uuid) not in client.get(every).content.decode()
    for stop in (actions.cancel, lambda job_id, actor: actions.prioritise(job_id, Priority.URGENT, actor)):
        with pytest.raises(PermissionDenied):
            stop(job.uuid, mia)

    job.refresh_from_db()
    assert (job.state, job.cancel_requested_at, job.priority, Event.objects.count()) == (
        State.QUEUED,
        None,
        Priority.NORMAL,
        events,
    )
    assert queries.open_count(mia) == 0


def test_a_job_of_no_project_is_of_who_started_it(client_for, mia, otto):
    with kind("test.alone", lambda ctx: None):
        alone = actions.enqueue("test.alone", actor=otto, project=None, args={})

    assert (client_for(mia).get(f"/jobs/{alone.uuid}/").status_code, queries.open_count(otto)) == (404, 1)
    actions.cancel(alone.uuid, otto)

    assert Job.objects.get(pk=alone.pk).state == State.CANCELLED


def test_cancelling_an_ended_job_is_a_conflict(job, client_for, mia):
    run_jobs()

    answer = client_for(mia).post(f"/api/v1/jobs/{job.uuid}/cancel/")

    assert answer.status_code == 409
    assert answer.json()["code"] == "conflict"
    assert answer.json()["message"].startswith("This job is succeeded and can no longer become cancelled.")


def test_get_does_not_cancel(job, client_for, mia):
    assert client_for(mia).get(reverse("jobs:cancel", args=[job.uuid])).status_code == 405


def test_list_shows_running_and_ended_by_keyset(job, client_for, mia, project, monkeypatch):
    monkeypatch.setattr("lifecycle.ground.jobs.queries.PAGE", 2)
    run_jobs()
    made = [actions.enqueue("test.work", actor=mia, project=project, args={}) for _ in range(3)]
    run_jobs()

    first = client_for(mia).get("/api/v1/jobs/").json()
    second = client_for(mia).get(f"/api/v1/jobs/?before={first['before']}").json()
    page = client_for(mia).get(reverse("jobs:list"))

    assert [row["uuid"] for row in first["results"]] == [str(made[2].uuid), str(made[1].uuid)]
    assert [row["uuid"] for row in second["results"]] == [str(made[0].uuid), str(job.uuid)]
    assert second["before"] is None
    assert page.status_code == 200
    assert f'?before={first["before"]}"' in page.content.decode()


def test_list_takes_few_queries_whatever_its_length(
    job, client_for, mia, project, django_assert_max_num_queries
):
    for _ in range(5):
        actions.enqueue("test.work", actor=mia, project=project, args={})
    client = client_for(mia)

    with django_assert_max_num_queries(12):
        client.get(reverse("jobs:list"))


def test_nonsense_in_the_address_is_refused(client_for, mia):
    assert client_for(mia).get("/api/v1/jobs/?before=x").status_code == 400
    assert client_for(mia).get(reverse("jobs:list") + "?before=x").status_code == 400
