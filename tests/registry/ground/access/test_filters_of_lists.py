"""Programs find one thing in a list by what people call it: a project, a slug, a number, a version."""

from __future__ import annotations

import pytest

from registry.ground.ledger.models import Event
from tests.support import registry
from tests.support.people import make_person, make_project


@pytest.fixture
def version(project, mia, ravi):
    return registry.make_version(project, mia, ravi)


def found(client, path: str) -> list[str]:
    """The uuids that a list answers with."""
    return [row["uuid"] for row in client.get(f"/api/v1/{path}").json()["results"]]


def test_a_dataset_is_found_by_its_slug_and_project(client_for, version, mia):
    dataset, other = version.run.snapshot.dataset, make_project("other")

    assert found(client_for(mia), f"datasets/?slug={dataset.slug}") == [str(dataset.uuid)]
    assert found(client_for(mia), f"datasets/?slug={dataset.slug}&project={other.uuid}") == []
    assert found(client_for(mia), "datasets/?slug=none") == []


def test_a_snapshot_is_found_by_its_dataset_and_number(client_for, version, ravi, mia):
    snapshot = version.run.snapshot
    second = registry.make_snapshot(snapshot.dataset.project, ravi, dataset=snapshot.dataset)

    assert found(client_for(mia), f"dataset-versions/?dataset={snapshot.dataset.uuid}") == [
        str(second.uuid),
        str(snapshot.uuid),
    ]
    assert found(client_for(mia), f"dataset-versions/?dataset={snapshot.dataset.uuid}&number=2") == [
        str(second.uuid)
    ]


def test_a_run_is_found_by_its_number_and_project(client_for, version, mia):
    second = registry.make_trained_run(version.run.snapshot, mia, evaluated=False)

    assert found(client_for(mia), "runs/?number=2") == [str(second.uuid)]
    assert found(client_for(mia), f"runs/?project={second.project.uuid}&number=1") == [str(version.run.uuid)]
    assert found(client_for(mia), f"runs/?project={make_project('other').uuid}") == []


def test_a_version_is_found_by_its_semver(client_for, version, mia):
    assert found(client_for(mia), f"models/{version.model.uuid}/versions/?semver=1.0.0") == [
        str(version.uuid)
    ]
    assert found(client_for(mia), f"models/{version.model.uuid}/versions/?semver=1.0.1") == []


def test_a_request_is_found_by_its_number_and_project(client_for, version, mia):
    request = registry.asked_request(version, registry.make_endpoint(version.model, mia), mia)

    assert found(client_for(mia), "promotions/?number=1") == [str(request.uuid)]
    assert found(client_for(mia), f"promotions/?number=1&project={make_project('other').uuid}") == []


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("datasets/?project=inbox", "project"),
        ("dataset-versions/?number=first", "number"),
        ("dataset-versions/?dataset=1", "dataset"),
        ("runs/?number=0", "number"),
        ("runs/?number=99999999999999999999", "number"),
        ("promotions/?number=-1", "number"),
    ],
)
def test_a_filter_that_cannot_be_read_is_named(client_for, mia, path, field):
    answer = client_for(mia).get(f"/api/v1/{path}")

    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [field]


def test_a_filter_shows_nothing_that_is_hidden(client_for, version):
    assert found(client_for(make_person("otto")), f"datasets/?slug={version.run.snapshot.dataset.slug}") == []
    assert found(client_for(make_person("otto")), "runs/?number=1") == []


# Filters and places that cannot be read or are not offered, by the address of a list.
LISTS = {
    "/audit/": [
        "since=yesterday",
        "until=2026-02-30",
        "verb=all",
        "room=cellar",
        "project={other}",
        "before=x",
        f"text={'x' * 201}",
    ],
    "/api/v1/audit/events/": ["since=yesterday", "verb=all", "project=1", "before=x"],
    "/dashboard/": ["weeks=5", "project={other}", "project=x", "kpi=x"],
    "/api/v1/dashboard/": ["weeks=all", "project={other}"],
    "/alerts/": ["severity=low", "source=x", "endpoint=x", "before=x", "severity=%00"],
    "/alerts/suppressed/": ["why=x", "endpoint=x", "before=x"],
    "/rollouts/": ["state=x", "before=x"],
    "/jobs/": ["mine=x", "before=x"],
    "/datasets/": ["before=x"],
    "/dataset-versions/": ["before=x"],
    "/data-issues/": ["before=x"],
    "/labeling/": ["before=x"],
    "/runs/": ["before=x"],
    "/runs/sweeps/": ["before=x"],
    "/evaluations/": ["before=x"],
    "/promotions/": ["before=x"],
    "/retraining/": ["before=x"],
    "/notices/": ["before=x"],
}


def test_a_list_shows_nothing_where_its_address_cannot_be_read(client_for, project, lee):
    client, other = client_for(lee), make_project("other").uuid

    for address, queries in LISTS.items():
        assert client.get(address).status_code == 200, address
        for query in queries:
            answer = client.get(f"{address}?{query.format(other=other)}")
            assert answer.status_code == 400, (address, query, answer.status_code)
            if address.startswith("/api/"):
                assert list(answer.json()["fields"]) == [query.partition("=")[0]], query


def test_an_export_of_the_trail_takes_no_filter_that_cannot_be_read(client_for, project, aida):
    client, before = client_for(aida), Event.objects.count()

    assert client.post("/audit/export/", {"form": "csv", "since": "yesterday"}).status_code == 400
    assert client.post("/audit/export/", {"form": "xlsx"}).status_code == 400
    assert client.post("/api/v1/audit/export/?since=yesterday").status_code == 400

    assert Event.objects.count() == before


def test_a_list_of_a_dataset_refuses_a_place_that_cannot_be_read(client_for, version, ravi):
    client, dataset = client_for(ravi), version.run.snapshot.dataset.uuid

    for address in (f"/api/v1/labeling/datasets/{dataset}/{name}/" for name in ("gold", "proposals")):
        assert client.get(address).status_code == 200, address
        answer = client.get(f"{address}?before=x")
        assert (answer.status_code, list(answer.json()["fields"])) == (400, ["before"]), address
