"""The home page lists a person's tasks; the health probes name what is wrong."""

from datetime import timedelta

import httpx
import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from lifecycle.ground.jobs.models import Job
from lifecycle.roof.home import health, views
from monitoring.alerts.actions import watching
from monitoring.alerts.models import Alert
from registry.ground.access.actions import create_token
from registry.ground.ledger import keys
from tests.support import endpoints
from tests.support.people import PEOPLE, make_person


@pytest.mark.parametrize("who", ["ana", "ravi", "mia", "lee", "gita", "omar", "aida", "otto", "adam"])
def test_everyone_has_a_home(project, request, client_for, who):
    assert client_for(request.getfixturevalue(who)).get("/").status_code == 200


def test_a_visitor_is_sent_to_sign_in(client, db):
    assert client.get("/")["Location"] == "/accounts/login/?next=/"


def test_a_person_without_a_role_sees_who_assigns_one(otto, client_for):
    assert (
        "An organisation admin or an ML lead can assign you one."
        in client_for(otto).get("/").content.decode()
    )


@pytest.mark.postgres
def test_the_palette_finds_pages_by_name(mia, client_for):
    page = client_for(mia).get("/find/", {"q": "audit"}, headers={"HX-Request": "true"}).content.decode()

    assert 'href="/audit/"' in page


@pytest.mark.postgres
def test_the_palette_takes_nul_for_a_blank(project, mia, client_for):
    answer = client_for(mia).get("/find/", {"q": "audit\0"}, headers={"HX-Request": "true"})

    assert answer.status_code == 200
    assert 'href="/audit/"' in answer.content.decode()


def test_alive_is_a_word(client):
    assert client.get("/healthz").content == b"ok\n"


@pytest.fixture
def well(settings, monkeypatch):
    settings.DATA_DIR.mkdir(parents=True)
    keys.private_key_path()
    monkeypatch.setattr(health.httpx, "get", lambda *_, **__: httpx.Response(200))
    monkeypatch.setattr(health, "is_evaluation_missed", lambda: False)


@pytest.mark.django_db
def test_a_whole_installation_is_ready(client, well):
    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert [check["name"] for check in answer.json()["checks"] if not check["ok"]] == []


@pytest.mark.django_db
def test_a_job_that_no_worker_takes_is_named(client, well):
    Job.objects.create(kind="x", queue="training", available_at=timezone.now() - timedelta(minutes=3))

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert [c["detail"] for c in answer.json()["checks"] if not c["ok"]] == [
        "Jobs have waited over two minutes in training and none is running. Start a worker for it."
    ]


@pytest.mark.django_db
def test_a_dead_inference_server_is_named_but_the_site_is_ready(client, well, monkeypatch):
    def refuse(*_, **__):
        raise httpx.ConnectError("refused")

    monkeypatch.setattr(health.httpx, "get", refuse)
    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert [c["name"] for c in answer.json()["checks"] if not c["ok"]] == ["inference"]


@pytest.mark.django_db
def test_unevaluated_alerts_are_named_but_the_site_is_ready(client, well, monkeypatch):
    monkeypatch.setattr(health, "is_evaluation_missed", lambda: True)

    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert [c["detail"] for c in answer.json()["checks"] if not c["ok"]] == [
        "Alerts haven't been evaluated for over two minutes. Start beat and a worker for the default queue."
    ]


@pytest.mark.django_db
def test_a_full_disk_is_named(client, well, monkeypatch):
    monkeypatch.setattr(health, "DISK_MIN_BYTES", 1 << 62)

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert [c["name"] for c in answer.json()["checks"] if not c["ok"]] == ["storage"]


@pytest.mark.django_db
def test_asking_again_at_once_runs_no_check_and_asking_writes_nothing(client, well, monkeypatch, settings):
    runs = []
    monkeypatch.setattr(
        health, "CHECKS", [*health.CHECKS, lambda: runs.append(1) or health.Check("mine", True, "")]
    )
    before = sorted(settings.DATA_DIR.rglob("*"))

    with CaptureQueriesContext(connection) as found:
        answers = [client.get("/readyz").json() for _ in range(3)]

    assert (len(runs), answers[0]) == (1, answers[2])
    assert [each["sql"] for each in found if not each["sql"].strip().startswith(("SELECT", "PRAGMA"))] == []
    assert sorted(settings.DATA_DIR.rglob("*")) == before


@pytest.mark.django_db
def test_reading_the_probe_raises_no_alert(
    client, settings, monkeypatch, project, mia, ravi, lee, gita, omar
):
    endpoints.deployed_endpoint(project)
    monkeypatch.setattr(health.httpx, "get", lambda *_, **__: httpx.Response(200))
    monkeypatch.setattr(watching, "STARTED", timezone.now() - timedelta(hours=1))

    answer = client.get("/readyz")

    assert [c["name"] for c in answer.json()["checks"] if not c["ok"]] == ["alerts"]
    assert not Alert.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("peer", "headers", "detailed"),
    [
        ("127.0.0.1", {}, True),
        ("10.0.0.7", {}, False),
        ("127.0.0.1", {"x-real-ip": "10.0.0.7"}, False),
        ("10.0.0.7", {"authorization": "Bearer wrong"}, False),
        ("10.0.0.7", {"authorization": "Bearer secret-of-prometheus"}, True),
    ],
)
def test_details_are_for_this_machine_and_for_holders_of_the_token(
    client, well, settings, peer, headers, detailed
):
    settings.METRICS_TOKEN = "secret-of-prometheus"

    answer = client.get("/readyz", headers=headers, REMOTE_ADDR=peer)

    assert answer.status_code == 200
    assert {"detail" in check for check in answer.json()["checks"]} == {detailed}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "detailed"), [("omar", True), ("lee", True), ("adam", True), ("mia", False), ("aida", False)]
)
def test_details_are_also_for_people_who_get_alerts_behind_a_proxy(client_for, well, project, name, detailed):
    person = make_person(name, project=project, role=PEOPLE.get(name))
    type(person).objects.filter(username="adam").update(is_organisation_admin=True)

    answer = client_for(person).get("/readyz", headers={"x-real-ip": "10.0.0.7"})

    assert {"detail" in check for check in answer.json()["checks"]} == {detailed}


@pytest.mark.postgres
@pytest.mark.django_db
def test_who_asks_is_a_stranger_while_the_database_is_away(client_for, well, omar, monkeypatch):
    def away(*_):
        raise OperationalError

    client = client_for(omar)
    monkeypatch.setattr(views, "can_somewhere", away)

    answer = client.get("/readyz", headers={"x-real-ip": "10.0.0.7"})

    assert (answer.status_code, {"detail" in check for check in answer.json()["checks"]}) == (200, {False})


def test_equal_acts_in_a_row_are_one_line(project, ana, client_for):
    for name in ("one", "two", "three"):
        create_token(user=ana, name=name, scopes=["read"], days=1)

    page = client_for(ana).get("/").content.decode()

    assert page.count("created an API token") == 1
    assert ", 3 times, most recently" in page
