"""Whose work a retraining is goes by what its snapshot has and the live version's lacks, row by row, and by
no date.
"""

import pytest

from datasets_app.datasets import actions as datasets
from datasets_app.datasets.models import Item
from datasets_app.queues.actions.opening import open_queue
from datasets_app.queues.models import Queue
from datasets_app.snapshots.actions import freezing
from lifecycle.modeling.training import queries as runs
from monitoring.retraining import actions
from monitoring.retraining.models import Proposal
from registry.catalog import actions as catalog
from registry.catalog.models import Endpoint, ModelVersion
from registry.ground.access.roles import Role
from tests.monitoring.retraining import conftest as retraining
from tests.support import endpoints, labeling, registry, training
from tests.support.datasets import import_texts
from tests.support.jobs import run_ok
from tests.support.people import make_person
from tests.support.snapshots import freeze

SHARES = {"train": 60, "validation": 20, "test": 20}
SHORT = {"length_to": "60"}
LONG = [
    (f"request {at} about a {label}, told at such length that it is no part of a slice of short texts", label)
    for at in range(30)
    for label in ("card", "refund")
]


@pytest.fixture
def dataset(project, mia, ravi, lee, gita, omar):
    endpoints.Crew(project)
    return training.labeled_dataset(project, mia, copies=20)


@pytest.fixture
def noah(project):
    """Another engineer."""
    return make_person("noah", project=project, role=Role.ENGINEER)


@pytest.fixture
def labeled(dataset, mia, lars, lee, ana) -> Proposal:
    """A retraining of a version that learned all that was there; its queue is labeled."""
    return labeled_of(live_on(freeze(dataset, mia, shares=SHARES), mia), mia, lars, lee, ana)


def live_on(snapshot, mia) -> Endpoint:
    """An endpoint whose live version learned this snapshot, and its traffic."""
    run = training.make_run(snapshot, mia, splits=())
    retraining.make_evaluation_on(run, snapshot, "test", retraining.LIVE_ACCURACY, wrong_first=True)
    project = snapshot.dataset.project
    model = registry.make_model(project, mia)
    catalog.register(model=model, run=run, semver="1.0.0", actor=mia, stated=registry.STATED)
    run_ok("default")
    endpoint = registry.make_endpoint(model, mia, slug="support-inbox-prod")
    endpoints.deploy(project, endpoint, ModelVersion.objects.get(model=model))
    endpoint = Endpoint.objects.get(pk=endpoint.pk)
    retraining.make_traffic(endpoint, mia)
    return endpoint


def labeled_of(endpoint, mia, lars, lee, ana) -> Proposal:
    """Proposed by Lars, collected by Mia, approved by Lee, labeled by Ana as far as is asked for."""
    found = actions.collect_texts(proposal_id=retraining.propose(endpoint, lars).uuid, actor=mia)
    found = retraining.approve(retraining.collect(found), lee)
    retraining.label_queue(found, ana, number=found.min_labels)
    return found


def people(proposal):
    """Whose work the promotion of the retrained version is, by part."""
    found = retraining.end_training(retraining.advance(proposal), accuracy=1.0)
    return retraining.advance(retraining.advance(found)).promotion.subject["people"]


def behind(proposal):
    """Who is behind the run, and so behind every request for what it trained (test_who_is_behind.py)."""
    return runs.workers_of(retraining.advance(proposal).run).behind


def test_who_labeled_or_divided_rows_that_the_live_version_s_slice_left_out_took_part(
    dataset, mia, lars, lee, lena, noah, ana
):
    import_texts(dataset, LONG, lena)
    freeze(dataset, noah, shares=SHARES, seed=666)
    short = datasets.save_slice(dataset_id=dataset.uuid, actor=mia, name="Short", filters=SHORT, shared=True)
    endpoint = live_on(freeze(dataset, mia, shares=SHARES, slice_id=short.uuid), mia)

    found = people(labeled_of(endpoint, mia, lars, lee, ana))

    assert str(lena.uuid) in found["behind"]
    assert found["froze"] == [str(noah.uuid)]


def test_who_labeled_while_the_live_version_s_snapshot_was_made_is_behind_it(
    dataset, mia, lars, lee, lena, ana, monkeypatch
):
    divide = freezing.divide

    def meanwhile(*given, **options):
        monkeypatch.setattr(freezing, "divide", divide)
        import_texts(dataset, LONG, lena)
        return divide(*given, **options)

    monkeypatch.setattr(freezing, "divide", meanwhile)
    endpoint = live_on(freeze(dataset, mia, shares=SHARES), mia)

    assert lena.uuid in behind(labeled_of(endpoint, mia, lars, lee, ana))


def test_who_uploaded_texts_with_their_split_took_part_though_others_labeled_them(labeled, mia, lena, ana):
    rows = [(f"easy refund {at}", "test" if at % 2 else "train") for at in range(8)]
    upload = import_texts(labeled.dataset, rows, lena, header=("text", "split"), labels_as="suggestions")
    queue = open_queue(
        dataset_id=labeled.dataset.uuid,
        actor=mia,
        name="Hers",
        overlap=1,
        source=Queue.Source.UPLOAD,
        upload_id=upload.uuid,
    )
    run_ok("default")
    labeling.label_items(queue, {ana: ["refund"] * len(rows)}, list(Item.objects.filter(upload=upload)))

    found = people(labeled)

    assert str(lena.uuid) in found["decided"]
    assert str(lena.uuid) in found["behind"]
    assert str(mia.uuid) not in found["behind"]  # what she collected, the product chose


def test_who_uploaded_labels_after_its_snapshot_was_cut_is_no_part_of_it(labeled, lars, lena, ana):
    actions.advance(labeled.uuid)
    run_ok("default")
    import_texts(labeled.dataset, [(f"later words {at}", "card") for at in range(5)], lena)

    assert behind(labeled) == {lars.uuid, ana.uuid}
