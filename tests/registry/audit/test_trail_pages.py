"""The trail is searched, read and exported by those who may, and by no one else."""

import csv
import html
import io
import json

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from registry.audit.queries import visible_events
from registry.ground.access.actions import grant, revoke
from registry.ground.access.models import ApiToken
from registry.ground.access.roles import Role
from registry.ground.ledger.actions import record
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.people import make_person, make_project
from tests.support.trail import behind_its_back


def decide(actor, project, verb=Verb.DATASET_CREATED, **payload) -> Event:
    with transaction.atomic():
        return record(actor, verb, project, project=project.uuid, **payload)


def test_an_auditor_reads_the_events_of_the_project(project, aida, mia, client_for):
    event = decide(mia, project, reason="because of =cmd()")

    page = client_for(aida).get("/audit/").content.decode()

    assert page.count('data-verb="datasets.created"') == 1
    assert f'href="{reverse("audit:event", args=[event.hash])}"' in page
    assert "because of =cmd()" in page


@pytest.mark.parametrize(
    "text", ["no JSON", "[]", '{"payload": {}}', '{"payload": [], "names": {"actor": []}}']
)
def test_an_event_whose_bytes_are_none_hides_no_other(project, aida, mia, client_for, text):
    damaged, whole = decide(mia, project), decide(mia, project, reason="because of =cmd()")
    behind_its_back("UPDATE ledger_event SET canonical = %s WHERE id = %s", text, damaged.pk)
    client = client_for(aida)

    assert "because of =cmd()" in client.get("/audit/").content.decode()
    assert [client.get(f"/audit/events/{event.hash}/").status_code for event in (damaged, whole)] == [
        200,
        200,
    ]
    assert json.dumps(text) in html.unescape(client.get(f"/audit/events/{damaged.hash}/").content.decode())


def test_a_stranger_sees_none_of_it(project, otto, aida, mia, client_for):
    event = decide(mia, project)
    client = client_for(otto)

    address = reverse("audit:event", args=[event.hash])
    pages = [client_for(person).get("/audit/").content.decode() for person in (otto, aida)]
    assert [('data-verb="datasets.created"' in page, address in page) for page in pages] == [
        (False, False),
        (True, True),
    ]
    assert client.get(f"/audit/events/{event.hash}/").status_code == 404


def test_an_analyst_sees_their_own_acts_only(project, ana, mia, client_for):
    own, others = decide(ana, project), decide(mia, project)
    client = client_for(ana)

    assert client.get(f"/audit/events/{own.hash}/").status_code == 200
    assert client.get(f"/audit/events/{others.hash}/").status_code == 404


def test_an_auditor_of_one_project_does_not_read_another(project, aida, mia, client_for):
    other = make_project("other")
    event = decide(mia, other)

    assert client_for(aida).get(f"/audit/events/{event.hash}/").status_code == 404


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"text": "Mia"}, 1),
        ({"verb": "datasets.created"}, 1),
        ({"room": "promotions"}, 0),
        ({"text": "nobody"}, 0),
        ({"until": "2020-01-01"}, 0),
    ],
)
def test_filters_find_by_name_verb_room_and_day(project, aida, mia, client_for, query, found):
    decide(mia, project)

    page = client_for(aida).get("/audit/", query).content.decode()

    assert page.count('data-verb="datasets.created"') == found


@pytest.mark.postgres
def test_an_export_is_itself_an_event_and_carries_the_hashed_bytes_and_a_signed_checkpoint(
    project, aida, mia, client_for
):
    event = decide(mia, project)

    content = client_for(aida).post("/audit/export/", {"form": "jsonl"}).getvalue().decode()

    lines = [json.loads(line) for line in content.splitlines()]
    assert {"hash": event.hash, "canonical": event.canonical} in lines
    assert any("checkpoint" in line for line in lines)
    assert Event.objects.filter(verb=Verb.AUDIT_EXPORTED, actor=str(aida.uuid)).count() == 1


@pytest.mark.postgres
def test_no_cell_of_a_csv_export_begins_like_a_formula(project, aida, mia, client_for):
    mia.display_name = '=HYPERLINK("http://evil")'
    mia.save()
    decide(mia, project)

    content = client_for(aida).post("/audit/export/", {"form": "csv"}).getvalue().decode()

    rows = list(csv.DictReader(io.StringIO(content)))
    assert [row["actor_name"] for row in rows if row["actor"] == str(mia.uuid)][
        0
    ] == '\'=HYPERLINK("http://evil")'


def test_an_analyst_cannot_export(project, ana, client_for):
    before = Event.objects.count()

    assert client_for(ana).post("/audit/export/", {"form": "jsonl"}).status_code == 403
    assert Event.objects.count() == before


def test_the_number_of_queries_does_not_grow_with_the_events(project, aida, mia, client_for):
    client = client_for(aida)
    decide(mia, project)
    client.get("/audit/")
    with CaptureQueriesContext(
        connection,
    ) as one:
        client.get("/audit/")
    for _ in range(30):
        decide(mia, project)
    with CaptureQueriesContext(connection) as many:
        client.get("/audit/")

    assert len(many) == len(one)


def test_older_events_are_a_page_away(project, aida, mia, client_for):
    for number in range(60):
        decide(mia, project, reason=f"number {number}")
    client = client_for(aida)

    first = client.get("/audit/").content.decode()
    older = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    second = client.get(older).content.decode()

    assert ("number 59" in first, "number 0<" in first) == (True, False)
    assert "number 0<" in second
    assert "number 59" not in second


def test_roles_given_elsewhere_do_not_leak_installation_events_to_analysts(project, ana, adam, client_for):
    with transaction.atomic():
        event = record(adam, Verb.USER_CREATED, ana)

    assert client_for(mia_of(project)).get(f"/audit/events/{event.hash}/").status_code == 404
    grant(user=ana, role=Role.AUDITOR, root=project, actor=None)
    assert client_for(ana).get(f"/audit/events/{event.hash}/").status_code == 200


def mia_of(project):
    return make_person("mia", project=project, role=Role.ENGINEER)


@pytest.mark.postgres
def test_of_the_installation_an_auditor_sees_what_concerns_people_of_their_projects(
    project, aida, mia, adam, client_for
):
    zoe = make_person("zoe", project=make_project("other"), role=Role.LEAD)
    left = make_person("left", project=project, role=Role.ANALYST)
    revoke(user=left, role=Role.ANALYST, root=project, actor=None)
    token = ApiToken(name="nightly")
    with transaction.atomic():
        wanted = {
            record(adam, Verb.USER_CREATED, mia),
            record(adam, Verb.USER_DEACTIVATED, left),
            record(mia, Verb.TOKEN_CREATED, token),
            record(None, Verb.POLICY_PUBLISHED, token),
        }
        others = {
            record(adam, Verb.USER_CREATED, zoe),
            record(zoe, Verb.TOKEN_CREATED, token),
            record(mia, Verb.USER_CREATED, zoe),
        }

    of_the_installation = {event.pk for event in wanted | others}
    seen = {
        user: set(visible_events(user).values_list("pk", flat=True)) & of_the_installation
        for user in (aida, adam, zoe)
    }
    assert seen[aida] == {event.pk for event in wanted}
    assert seen[adam] == of_the_installation
    assert seen[zoe] == {event.pk for event in others if event.actor == str(zoe.uuid)}
    shown = ["Zoe" in client_for(person).get("/audit/").content.decode() for person in (aida, adam)]
    assert shown == [False, True]
