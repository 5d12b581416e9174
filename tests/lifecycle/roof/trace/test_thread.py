"""The chain from a prediction to the people who labeled, and from an item up to everything it touched."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from datasets_app.datasets.models import Item
from datasets_app.snapshots import queries as snapshots
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.training import actions as training
from lifecycle.roof.trace import actions, neighbours, queries
from lifecycle.roof.trace.models import Neighbour
from monitoring.traffic.actions import ingest
from monitoring.traffic.models import Prediction
from registry.endpoints import actions as endpoints
from registry.endpoints.models import Deployment
from registry.ground.access.models import User
from registry.promotions import plans
from tests.support.endpoints import spool_line, with_approval, write_segment
from tests.support.jobs import run_ok
from tests.support.registry import make_version
from tests.support.training import make_run, make_snapshot, write_base


@pytest.fixture
def prediction(live_endpoint) -> Prediction:
    label = live_endpoint.alias.version.run.snapshot.schema.labels.first().name
    write_segment(spool_line(live_endpoint, ("Where is my refund", label, 0.9)))
    assert ingest() == 1
    return Prediction.objects.select_related(
        "endpoint", "version__run__snapshot__dataset", "version__model"
    ).get()


def train_items(prediction: Prediction, count: int) -> list[Item]:
    rows = neighbours.rows_of(prediction.version.run.snapshot, "train")
    return [Item.objects.get(uuid=row.item_uuid) for row, _ in zip(rows, range(count), strict=False)]


def keep(prediction: Prediction, item: Item, rank: int = 1) -> None:
    learned = actions.decisions_in(prediction.version.run.snapshot, [item])
    Neighbour.objects.create(
        prediction=prediction, item=item, decision=learned[str(item.uuid)], rank=rank, similarity=0.9
    )


def test_the_chain_runs_from_the_answer_to_the_snapshot_without_a_gap(prediction):
    chain = queries.prediction_chain(prediction)

    assert [link.kind for link in chain] == [
        "Prediction",
        "Deployment",
        "Approval",
        "Version",
        "Run",
        "Dataset version",
    ]
    assert not any(link.missing for link in chain)
    version = prediction.version
    digests = {link.kind: link.digest for link in chain}
    assert digests["Version"] == version.root_digest
    assert digests["Run"] == version.run.spec_digest
    assert digests["Dataset version"] == version.run.snapshot.digest


def test_the_chain_names_who_deployed_and_who_approved(prediction):
    people = {link.kind: link.people for link in queries.prediction_chain(prediction)}
    deployment = Deployment.objects.get()

    assert people["Deployment"] == [deployment.started_by]
    assert people["Approval"] == [verdict.reviewer for verdict in deployment.approval.verdicts.order_by("id")]


def test_a_prediction_outside_every_deployment_shows_a_missing_link(prediction):
    prediction.at = prediction.at.replace(year=2001)

    chain = queries.prediction_chain(prediction)

    assert [(link.kind, link.missing) for link in chain][1] == ("Deployment", True)
    assert "Approval" not in {link.kind for link in chain}


def test_an_answer_of_a_canary_keeps_the_deployment_and_the_approval_that_its_server_named(
    project, live_endpoint
):
    """Whatever moment it is dated: demo traffic and replays are dated back."""
    request = with_approval(live_endpoint, plans.by_hand(500))
    canary = endpoints.deploy(request_id=request.uuid, actor=User.objects.get(username="omar"))
    for named, at in ((str(canary.uuid), "2020-01-01T00:00:00.000+00:00"), (None, "")):
        more = {
            "version": str(request.version.uuid),
            "root_digest": request.version.root_digest,
            "arm": "canary",
            "deployment": named,
        }
        write_segment(spool_line(live_endpoint, at=at, **more), name=f"20260101-{len(at):04}.jsonl")
    assert ingest() == 2

    for each in Prediction.objects.select_related(
        "endpoint", "version__run__snapshot__dataset", "version__model", "deployment"
    ):
        chain = queries.prediction_chain(each)

        assert [link.kind for link in chain] == [
            "Prediction",
            "Deployment",
            "Approval",
            "Version",
            "Run",
            "Dataset version",
        ]
        assert (chain[1].at, chain[2].digest) == (canary.started_at, request.subject_digest)


@pytest.mark.postgres
def test_the_nearest_training_items_come_with_the_decision_the_model_learned(prediction, mia, monkeypatch):
    near = train_items(prediction, 3)
    monkeypatch.setattr(actions, "materialise", lambda version: None)
    monkeypatch.setattr(
        actions.neighbours,
        "find",
        lambda *_, **__: [(str(item.uuid), 0.9 - at / 10) for at, item in enumerate(near)],
    )

    actions.find_neighbours(prediction=prediction, actor=mia)
    run_ok()

    found = queries.neighbours(mia, prediction)
    assert [(row.item, round(row.similarity, 1)) for row in found] == [
        (near[0], 0.9),
        (near[1], 0.8),
        (near[2], 0.7),
    ]
    assert all(row.decision and row.label == row.decision.label.name for row in found)
    assert [row.text for row in found] == [item.text for item in near]


def test_asking_twice_is_one_job_and_ten_rows_stay_ten(prediction, mia, monkeypatch):
    near = train_items(prediction, 2)
    monkeypatch.setattr(actions, "materialise", lambda version: None)
    monkeypatch.setattr(actions.neighbours, "find", lambda *_, **__: [(str(item.uuid), 0.5) for item in near])

    first = actions.find_neighbours(prediction=prediction, actor=mia)
    assert actions.find_neighbours(prediction=prediction, actor=mia) == first
    run_ok()
    actions.find_neighbours(prediction=prediction, actor=mia)
    run_ok()

    assert Neighbour.objects.count() == 2


def test_an_auditor_sees_digests_and_people_but_no_text(prediction, aida, client_for, monkeypatch):
    near = train_items(prediction, 1)
    keep(prediction, near[0])
    client = client_for(aida)

    page = client.get(f"/trace/predictions/{prediction.uuid}/").content.decode()
    item_page = client.get(f"/trace/items/{near[0].uuid}/").content.decode()

    assert prediction.version.root_digest in page
    assert "Where is my refund" not in page
    assert near[0].text not in page
    assert near[0].text not in item_page
    assert near[0].digest in item_page


def test_an_engineer_reads_both_texts(prediction, mia, client_for):
    near = train_items(prediction, 1)
    keep(prediction, near[0])

    page = client_for(mia).get(f"/trace/predictions/{prediction.uuid}/").content.decode()

    assert "Where is my refund" in page
    assert near[0].text in page


def test_an_item_knows_every_snapshot_run_version_and_deployment_above_it(prediction, mia):
    item = train_items(prediction, 1)[0]

    touched = queries.item_touched(mia, item)

    version = prediction.version
    assert [(snapshot, split) for snapshot, split, _ in touched.snapshots] == [
        (version.run.snapshot, "train")
    ]
    assert touched.runs == [version.run]
    assert touched.versions == [version]
    assert touched.deployments == [Deployment.objects.get()]


def test_an_item_lists_runs_that_start_from_a_model_trained_on_it(project, mia, tmp_path):
    first = make_run(make_snapshot(project, mia, name="firsts"), mia, splits=())
    item = Item.objects.get(
        dataset=first.snapshot.dataset, digest=next(snapshots.rows_of(first.snapshot, "train")).item
    )
    others, later = make_snapshot(project, mia, name="others", copies=5), first
    for name in ("second", "third"):
        base = training.keep_base(training.add_run_base(run=later, actor=mia), write_base(tmp_path / name))
        later = make_run(others, mia, base=base, splits=())

    touched = queries.item_touched(mia, item)

    assert touched.runs == [later, later.base.run, first]
    assert [snapshot for snapshot, _, _ in touched.snapshots] == [first.snapshot]


def test_a_dataset_version_lists_its_runs_versions_and_deployments(prediction, mia, client_for):
    client, snapshot, version = client_for(mia), prediction.version.run.snapshot, prediction.version

    page = client.get(f"/trace/dataset-versions/{snapshot.uuid}/").content.decode()
    response = client.get(f"/api/v1/trace/dataset-versions/{snapshot.uuid}/").json()

    for thing in (version.run, version, prediction.endpoint):
        assert f"/{thing.uuid}/" in page
    deployment = Deployment.objects.get()
    assert response == {
        "runs": [str(version.run.uuid)],
        "versions": [str(version.uuid)],
        "deployments": [str(deployment.uuid)],
    }


def test_the_queries_of_what_was_made_of_a_snapshot_do_not_grow(prediction, mia, ravi, client_for):
    client, snapshot = client_for(mia), prediction.version.run.snapshot
    client.get(f"/trace/dataset-versions/{snapshot.uuid}/")
    with CaptureQueriesContext(connection) as one:
        client.get(f"/trace/dataset-versions/{snapshot.uuid}/")
    for _ in range(2):
        make_version(snapshot.dataset.project, mia, ravi, snapshot=snapshot)
    with CaptureQueriesContext(connection) as many:
        page = client.get(f"/trace/dataset-versions/{snapshot.uuid}/").content.decode()

    assert page.count("/versions/") >= 3
    assert len(many) == len(one)


def test_a_snapshot_of_others_and_what_was_made_of_it_stay_hidden(prediction, otto, client_for):
    for path in ("/trace/dataset-versions/{}/", "/api/v1/trace/dataset-versions/{}/"):
        assert client_for(otto).get(path.format(prediction.version.run.snapshot.uuid)).status_code == 404


@pytest.mark.parametrize(
    "path", ["/trace/predictions/{}/", "/trace/predictions/{}/neighbors/", "/api/v1/trace/predictions/{}/"]
)
def test_a_stranger_finds_nothing_and_starts_nothing(prediction, otto, client_for, path):
    client = client_for(otto)
    method = client.post if "neighbors" in path else client.get

    assert method(path.format(prediction.uuid)).status_code == 404
    assert not Job.objects.filter(kind="trace.neighbours").exists()


@pytest.mark.postgres
def test_without_a_text_there_is_no_search(prediction, mia, client_for):
    Prediction.objects.filter(pk=prediction.pk).update(text=None)

    answer = client_for(mia).post(f"/trace/predictions/{prediction.uuid}/neighbors/")

    assert answer.status_code == 422
    assert "no longer stored" in answer.content.decode()
    assert not Job.objects.filter(kind="trace.neighbours").exists()


def test_the_pages_queries_do_not_grow_with_neighbours(prediction, mia, client_for):
    client, near = client_for(mia), train_items(prediction, 9)
    keep(prediction, near[0])
    client.get(f"/trace/predictions/{prediction.uuid}/")
    with CaptureQueriesContext(connection) as one:
        client.get(f"/trace/predictions/{prediction.uuid}/")
    for rank, item in enumerate(near[1:], start=2):
        keep(prediction, item, rank)
    with CaptureQueriesContext(connection) as many:
        client.get(f"/trace/predictions/{prediction.uuid}/")

    assert len(many) == len(one)


def test_the_api_gives_the_same_chain(prediction, mia, client_for):
    answer = client_for(mia).get(f"/api/v1/trace/predictions/{prediction.uuid}/").json()

    assert [link["kind"] for link in answer] == [
        "Prediction",
        "Deployment",
        "Approval",
        "Version",
        "Run",
        "Dataset version",
    ]
