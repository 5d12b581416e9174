"""A shadow is started and stopped, and a fault is injected and removed, by the endpoint's name."""

from __future__ import annotations

import pytest

from registry.endpoints.models import Deployment, Fault
from tests.support import endpoints, registry


@pytest.fixture
def endpoint(live_endpoint):
    return live_endpoint


@pytest.fixture
def version(endpoint, project, mia, ravi):
    snapshot = endpoint.alias.version.run.snapshot
    return registry.make_version(project, mia, ravi, model=endpoint.model, snapshot=snapshot, semver="1.2.0")


def test_a_shadow_is_started_and_stopped(as_person, omar, endpoint, version):
    command = as_person(omar)

    begun = command("shadow", "start", endpoint.slug, "1.2.0", "--share", "20%")

    assert begun.code == 0, begun.err
    assert begun.out.splitlines() == [
        (
            "1.2.0 answers copies of 20 % of the requests on inbox/support-inbox-prod. No client gets its"
            " answers."
        ),
        "Stop it: lifecycle shadow stop inbox/support-inbox-prod",
    ]
    shadow = Deployment.objects.get(arm="shadow")
    assert (shadow.version, shadow.share, shadow.ended_at) == (version, 2_000, None)

    ended = command("shadow", "stop", endpoint.slug, "--reason", "Seen enough.")

    shadow.refresh_from_db()
    assert (ended.code, ended.out) == (
        0,
        "1.2.0 gets no more copies of requests on inbox/support-inbox-prod.\n",
    )
    assert shadow.end_reason == "Seen enough."
    assert (
        command("shadow", "stop", endpoint.slug).err
        == "No shadow version runs on inbox/support-inbox-prod. See what runs: lifecycle endpoints status"
        " inbox/support-inbox-prod\n"
    )


def test_without_the_role_nothing_runs_and_the_error_names_it(as_person, ravi, endpoint, version):
    result = as_person(ravi)("shadow", "start", endpoint.slug, "1.2.0")

    assert (result.code, result.out) == (1, "")
    assert not Deployment.objects.filter(arm="shadow").exists()


def test_a_fault_is_injected_and_removed(as_person, omar, endpoint):
    endpoints.write_status(drills=True)
    command = as_person(omar)

    injected = command(
        "drill", "inject", endpoint.slug, "stable", "--kind", "error", "--share", "5", "--minutes", "15"
    )

    fault = Fault.objects.get()
    assert injected.code == 0, injected.err
    assert injected.out.splitlines() == [
        (
            "5 % of the requests to 1.0.0 on inbox/support-inbox-prod fail until"
            f" {fault.until:%Y-%m-%d %H:%M} UTC."
        ),
        "Stop it: lifecycle drill stop inbox/support-inbox-prod stable",
    ]
    assert (fault.kind, fault.share) == ("error", 500)

    lifted = command("drill", "stop", endpoint.slug, "stable")

    fault.refresh_from_db()
    assert (lifted.code, lifted.out) == (
        0,
        "1.0.0 on inbox/support-inbox-prod has no injected fault anymore.\n",
    )
    assert fault.lifted_at is not None


def test_servers_that_run_no_drills_get_no_fault(as_person, omar, endpoint):
    result = as_person(omar)("drill", "inject", endpoint.slug, "stable", "--kind", "slow", "--share", "5")

    assert (result.code, result.out) == (1, "")
    assert not Fault.objects.exists()
