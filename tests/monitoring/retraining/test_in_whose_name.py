"""What the product does for a retraining is the work of no one; what a person does in its place is theirs,
whatever the rows contain.
"""

import pytest

from datasets_app.datasets import actions as datasets
from datasets_app.snapshots import actions as snapshots
from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.jobs import actions as jobs
from lifecycle.modeling.training.models import Run
from monitoring.retraining import actions
from monitoring.retraining.models import Proposal
from monitoring.retraining.queries import people as people_queries
from monitoring.retraining.rules import State
from registry.ground.access.models import User
from tests.monitoring.retraining.conftest import advance, approve, collect, end_training, label_queue, propose
from tests.support.datasets import import_file
from tests.support.jobs import run_ok
from tests.support.tools import annotation, as_json, choice, task

EASY = {"text": "text", "id": "id", "time": "time", "split": "ignore"}


def promoted(proposal: Proposal) -> dict[str, list[str]]:
    """Whose work its promotion is, by part, once the model was trained and is better."""
    found = end_training(advance(proposal), accuracy=1.0)
    return advance(advance(found)).promotion.subject["people"]


@pytest.fixture
def taken_over(proposed, lena) -> Proposal:
    """Lena cancelled the import of its texts, and accepted them anew with a split of her own."""
    actions.advance(proposed.uuid)
    proposal = Proposal.objects.get(pk=proposed.pk)
    jobs.cancel(proposal.job.uuid, lena)
    datasets.set_mapping(upload_id=proposal.upload.uuid, actor=lena, mapping=EASY, wait=True)
    datasets.accept_upload(upload_id=proposal.upload.uuid, actor=lena, default_split="test")
    run_ok("default")
    return actions.advance(proposal.uuid)


def test_who_accepts_its_texts_anew_after_their_import_was_cancelled_put_them_where_they_are(
    taken_over, lee, lena, ana
):
    approve(taken_over, lee)
    label_queue(taken_over, ana, number=taken_over.min_labels)

    people = promoted(taken_over)

    assert str(lena.uuid) in people["decided"]
    assert str(lena.uuid) in people["behind"]


def test_who_is_only_named_in_a_file_of_answers_is_not_behind_it(approved, mia, lars, ana):
    User.objects.filter(pk=ana.pk).update(email="ana@x.org")
    answers = [task(n, f"told elsewhere {n}", annotation("ana@x.org", choice("refund"))) for n in range(10)]
    import_file(approved.dataset, lars, as_json(answers), "project.json")
    assert people_queries.behind(ana, Proposal.objects.get(pk=approved.pk)) == ""

    found = advance(approved)

    assert people_queries.people_behind(found) == {mia.uuid, lars.uuid}


@pytest.fixture
def unapproved(collected, ana) -> Proposal:
    """Its queue is labeled before anyone approved it."""
    label_queue(collected, ana, number=collected.min_labels)
    return collected


def test_what_no_one_approved_is_not_trained_because_someone_tries_it_again(unapproved, lee):
    Proposal.objects.filter(pk=unapproved.pk).update(state=State.FAILED)
    actions.retry(proposal_id=unapproved.uuid, actor=lee)

    found = advance(unapproved)

    assert (found.state, found.snapshot, Run.objects.count()) == (State.FAILED, None, 1)


@pytest.mark.parametrize("column", ["acting", "decided_by"])
def test_what_no_one_approved_is_not_trained(unapproved, lee, column):
    Proposal.objects.filter(pk=unapproved.pk).update(state=State.APPROVED, **{"acting": lee, column: lee})

    found = advance(unapproved)

    assert (found.state, found.snapshot, Run.objects.count()) == (State.FAILED, None, 1)


def test_who_the_row_names_as_responsible_is_not(labeled, lars):
    Proposal.objects.filter(pk=labeled.pk).update(acting=lars)

    found = advance(labeled)

    assert (found.state, Snapshot.objects.count()) == (State.FAILED, 1)


def frozen_by_hand(proposal: Proposal, person) -> Snapshot:
    """A division of what is decided by a seed and shares of one's own."""
    shares = {"train": 60, "validation": 20, "test": 20}
    job = snapshots.freeze(dataset=proposal.dataset, actor=person, seed=99, shares=shares)
    run_ok("default")
    return Snapshot.objects.get(uuid=job.args["snapshot"])


def test_who_froze_a_snapshot_that_was_put_in_the_place_of_the_products_froze_it(labeled, lena):
    advanced = Proposal.objects.filter(pk=labeled.pk)
    advanced.update(state=State.RUNNING, gated_at=labeled.created_at, snapshot=frozen_by_hand(labeled, lena))

    assert promoted(labeled)["froze"] == [str(lena.uuid)]


def test_who_approved_a_retraining_that_was_withdrawn_has_not_frozen_its_snapshot(
    labeled, endpoint, lars, lena, mia, ana
):
    """No run was launched on it, and the next one takes over its splits."""
    actions.advance(labeled.uuid)
    run_ok("default")
    actions.withdraw(proposal_id=labeled.uuid, actor=lars, reason="Not now.")
    again = approve(collect(actions.collect_texts(proposal_id=propose(endpoint, lars).uuid, actor=mia)), lena)
    label_queue(again, ana, number=again.min_labels)

    assert (promoted(again)["froze"], Snapshot.objects.count()) == ([], 3)
