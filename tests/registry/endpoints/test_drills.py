"""A drill: a fault injected into what runs, signed for the servers, lifted by a person or automatically."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from lifecycle.runtime import bundle
from lifecycle.runtime.inference.faults import parse_faults
from lifecycle.runtime.refusals import Conflict, Refused
from registry.endpoints import actions, tasks
from registry.endpoints.models import Fault
from registry.endpoints.queries import deployments, faults
from registry.ground.ledger import keys
from registry.ground.ledger.models import Event
from tests.support import endpoints
from tests.support.unchanged import refused


@pytest.fixture
def drills(live_endpoint):
    """A server reports that it obeys, and keeps reporting it however long the test takes."""
    endpoints.write_status(
        drills=True, at=(timezone.now() + timedelta(hours=1)).isoformat(timespec="milliseconds")
    )


@pytest.fixture
def live(live_endpoint, drills):
    return deployments.live_deployment(live_endpoint)


def document():
    return bundle.verify_document(faults.faults_path().read_bytes(), keys.public_key_path())


def events(endpoint):
    return [
        (event.verb, event.actor)
        for event in Event.objects.filter(object_id=str(endpoint.uuid), verb__contains="fault").order_by("id")
    ]


def test_injecting_publishes_a_document_that_servers_read(
    live, live_endpoint, omar, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        fault = actions.inject_fault(
            deployment_id=live.uuid,
            share=2_500,
            kind="slow",
            delay_ms=800,
            minutes=30,
            actor=omar,
            reason="Game day.",
        )

    until = fault.until.isoformat(timespec="seconds")
    expected = {"deployment": str(live.uuid), "kind": "slow", "share": 2500, "delay_ms": 800, "until": until}
    assert document() == {"format": 1, "faults": [expected]}
    read = parse_faults(document())[str(live.uuid)]
    assert (read.kind, read.share, read.delay_ms) == ("slow", 2500, 800)
    assert timedelta(minutes=29) < fault.until - timezone.now() <= timedelta(minutes=30)
    assert faults.faults_on(live_endpoint) == [fault]
    assert events(live_endpoint) == [("endpoints.fault_injected", str(omar.uuid))]


def test_lifting_takes_it_out(live, live_endpoint, omar, lee, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        actions.inject_fault(deployment_id=live.uuid, share=100, kind="error", actor=omar)
    with django_capture_on_commit_callbacks(execute=True):
        fault = actions.remove_fault(deployment_id=live.uuid, actor=lee)

    assert (fault.lifted_by, fault.delay_ms) == (lee, 0)
    assert document() == {"format": 1, "faults": []}
    assert events(live_endpoint)[-1] == ("endpoints.fault_removed", str(lee.uuid))
    with pytest.raises(Conflict, match="no longer has a fault"):
        actions.remove_fault(deployment_id=live.uuid, actor=lee)
    assert len(events(live_endpoint)) == 2


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"kind": "crash"}, "kind"),
        ({"share": 0}, "share"),
        ({"share": 10_001}, "share"),
        ({"kind": "slow", "delay_ms": 0}, "delay_ms"),
        ({"kind": "slow", "delay_ms": 30_001}, "delay_ms"),
        ({"minutes": 0}, "minutes"),
        ({"minutes": 1_441}, "minutes"),
    ],
)
def test_what_no_server_could_obey_is_refused(live, omar, asked, field):
    with refused(field):
        actions.inject_fault(
            **{"deployment_id": live.uuid, "share": 100, "kind": "error", "actor": omar} | asked
        )
    assert Fault.objects.count() == 0


def test_without_a_server_for_drills_nothing_would_happen_so_nothing_is_injected(live_endpoint, omar):
    endpoints.write_status(drills=False)

    with pytest.raises(Refused, match="No inference server is running with drills enabled"):
        actions.inject_fault(
            deployment_id=deployments.live_deployment(live_endpoint).uuid, share=100, kind="error", actor=omar
        )
    assert Fault.objects.count() == 0


@pytest.mark.parametrize("person", ["ana", "ravi", "mia", "gita", "aida", "otto"])
def test_only_leads_and_those_on_call_hold_drills(person, request, live, live_endpoint, omar):
    actor = request.getfixturevalue(person)

    with pytest.raises(PermissionDenied):
        actions.inject_fault(deployment_id=live.uuid, share=100, kind="error", actor=actor)
    actions.inject_fault(deployment_id=live.uuid, share=100, kind="error", actor=omar)
    with pytest.raises(PermissionDenied):
        actions.remove_fault(deployment_id=live.uuid, actor=actor)
    assert [fault.lifted_at for fault in Fault.objects.all()] == [None]


def test_one_fault_a_deployment_and_none_in_what_has_ended_or_shadows(live, live_endpoint, version, omar):
    ended = deployments.deployments(live_endpoint).exclude(ended_at=None).first()
    shadow = actions.start_shadow(
        endpoint_id=live_endpoint.uuid, version_id=version.uuid, share=100, actor=omar
    )
    actions.inject_fault(deployment_id=live.uuid, share=100, kind="error", actor=omar)

    with pytest.raises(Conflict, match="This deployment already has a fault"):
        actions.inject_fault(deployment_id=live.uuid, share=200, kind="slow", actor=omar)
    with pytest.raises(Conflict, match="This deployment has ended"):
        actions.inject_fault(deployment_id=ended.uuid, share=100, kind="error", actor=omar)
    with pytest.raises(Refused, match="Clients never see a shadow's predictions"):
        actions.inject_fault(deployment_id=shadow.uuid, share=100, kind="error", actor=omar)
    assert [fault.share for fault in Fault.objects.all()] == [100]


def test_it_ends_by_itself_when_its_time_has_come(
    live, live_endpoint, omar, monkeypatch, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        fault = actions.inject_fault(deployment_id=live.uuid, share=100, kind="error", minutes=1, actor=omar)
    tasks.tend()
    assert len(document()["faults"]) == 1

    monkeypatch.setattr(faults.timezone, "now", lambda: fault.until)
    with django_capture_on_commit_callbacks(execute=True):
        tasks.tend()

    assert document()["faults"] == []
    assert events(live_endpoint)[-1] == ("endpoints.fault_removed", "system")


@pytest.mark.postgres
def test_it_ends_with_its_deployment(live, live_endpoint, omar, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        actions.inject_fault(deployment_id=live.uuid, share=100, kind="error", actor=omar)
        actions.roll_back(
            endpoint_id=live_endpoint.uuid, actor=omar, reason="Errors.", typed="1.0.0", seen_moves=2
        )
    with django_capture_on_commit_callbacks(execute=True):
        tasks.tend()

    assert faults.faults_on(live_endpoint) == []
    assert document()["faults"] == []


def test_a_file_that_was_changed_is_written_anew(live, omar, django_capture_on_commit_callbacks):
    assert not faults.faults_path().exists()
    tasks.tend()
    assert not faults.faults_path().exists()
    with django_capture_on_commit_callbacks(execute=True):
        actions.inject_fault(deployment_id=live.uuid, share=100, kind="error", actor=omar)
    faults.faults_path().write_bytes(b"{}")

    tasks.tend()

    assert len(document()["faults"]) == 1
