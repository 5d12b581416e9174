"""Lines of the spool belong to the endpoint that they name, no matter who else has its slug."""

from __future__ import annotations

import pytest

from monitoring.traffic import actions
from monitoring.traffic.models import MinuteRollup, Prediction, ShadowAnswer
from registry.catalog.models import Endpoint
from tests.support import endpoints
from tests.support.people import PEOPLE, make_person, make_project


@pytest.fixture
def twin(live_endpoint) -> Endpoint:
    """Of the project claims, with the slug of the endpoint of inbox."""
    claims = make_project("claims", "Claims")
    for name in ("mia", "ravi", "lee", "gita", "omar"):
        make_person(name, project=claims, role=PEOPLE[name])
    return endpoints.deployed_endpoint(claims, slug=live_endpoint.slug)


def counted(model) -> dict[str, int]:
    """Rows by the project of their endpoint."""
    found: dict[str, int] = {}
    for slug in model.objects.values_list("endpoint__project__slug", flat=True):
        found[slug] = found.get(slug, 0) + 1
    return found


@pytest.mark.postgres
def test_predictions_copies_and_counts_are_of_the_endpoint_named(live_endpoint, twin):
    lines = [
        endpoints.spool_line(live_endpoint),
        *(endpoints.spool_line(twin) for _ in range(2)),
        endpoints.error_line(twin),
    ]
    copy = {
        "kind": "shadow",
        "uuid": "11111111-0000-4000-8000-000000000001",
        "at": lines[1]["at"],
        "endpoint": twin.full_name,
        "version": str(twin.alias.version.uuid),
        "root_digest": twin.alias.version.root_digest,
        "deployment": None,
        "prediction": lines[1]["uuid"],
        "code": 200,
        "label": "billing",
        "confidence": 0.9,
        "agrees": True,
        "kl": 0.0,
        "latency_ms": 4.0,
        "primary_latency_ms": 5.0,
    }
    endpoints.write_segment(*lines, copy)

    actions.ingest()

    assert (counted(Prediction), counted(ShadowAnswer)) == ({"inbox": 1, "claims": 3}, {"claims": 1})
    answered = Prediction.objects.filter(code=200).values_list("endpoint", "version")
    assert set(answered) == {(each.pk, each.alias.version_id) for each in (live_endpoint, twin)}
    requests = MinuteRollup.objects.exclude(arm="shadow").values_list("endpoint__project__slug", "requests")
    assert {slug: sum(n for at, n in requests if at == slug) for slug, _ in requests} == {
        "inbox": 1,
        "claims": 3,
    }


def test_a_line_that_names_no_endpoint_of_this_installation_is_no_ones(live_endpoint, twin):
    endpoints.write_segment(endpoints.spool_line(live_endpoint) | {"endpoint": f"gamma/{live_endpoint.slug}"})

    actions.ingest()

    assert counted(Prediction) == {}
