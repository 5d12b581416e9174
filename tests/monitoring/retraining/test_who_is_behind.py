"""Whose work a retrained model is depends on its run: no matter who requests its promotion, for which model
or endpoint, or how often.
"""

from functools import partial

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from datasets_app.queues.actions.opening import open_queue
from datasets_app.queues.models import Queue
from datasets_app.review.actions import reviews
from datasets_app.schemas.queries.changes import labels_now
from datasets_app.snapshots import actions as snapshot_actions
from datasets_app.snapshots import queries as snapshots
from lifecycle.runtime.refusals import Conflict
from monitoring.retraining import actions
from monitoring.retraining.models import Pick, Proposal, Trigger
from monitoring.retraining.queries import people
from monitoring.retraining.rules import Kind
from registry.catalog import actions as catalog
from registry.catalog.models import ModelVersion
from registry.ground.access.actions import grant
from registry.ground.access.roles import Role
from registry.ground.ledger.models import Event
from registry.promotions import actions as promotions
from registry.promotions.models import PromotionRequest, Verdict
from tests.monitoring.retraining.conftest import (
    advance,
    approve,
    collect,
    end_training,
    label_queue,
    measure,
    propose,
)
from tests.support import datasets, labeling, registry, training
from tests.support.jobs import run_ok
from tests.support.people import PASSWORD, make_person
from tests.support.trail import behind_its_back


@pytest.fixture
def noah(project):
    """An engineer who has no part in the retraining."""
    return make_person("noah", project=project, role=Role.ENGINEER)


@pytest.fixture
def rosa(project):
    """A lead who adjudicates too."""
    person = make_person("rosa", project=project, role=Role.LEAD)
    grant(user=person, role=Role.ADJUDICATOR, root=project, actor=None)
    return person


@pytest.fixture
def proposed(endpoint, traffic, lars, mia) -> Proposal:
    """Lars, who has no other part in it, proposed it by hand; Mia collects its texts, which he may not
    read.
    """
    return actions.collect_texts(proposal_id=propose(endpoint, lars).uuid, actor=mia)


def asked_again(found: Proposal, lee, noah) -> PromotionRequest:
    promotions.withdraw(request_id=found.promotion.uuid, actor=lee, reason="Asked for anew.")
    return registry.asked_request(found.version, found.endpoint, noah)


def asked_for_another_endpoint(found: Proposal, lee, noah) -> PromotionRequest:
    return registry.asked_request(
        found.version, registry.make_endpoint(found.version.model, noah, slug="other-prod"), noah
    )


def registered_in_a_second_model(found: Proposal, lee, noah) -> PromotionRequest:
    model = registry.make_model(found.endpoint.model.project, noah)
    catalog.register(model=model, run=found.run, semver="1.0.0", actor=noah, stated=registry.STATED)
    run_ok("default")
    return registry.asked_request(
        ModelVersion.objects.get(model=model), registry.make_endpoint(model, noah, slug="second-prod"), noah
    )


ROADS = [asked_again, asked_for_another_endpoint, registered_in_a_second_model]


def refused(request: PromotionRequest, person, client_for) -> None:
    """Neither the action nor the page nor the API lets this person approve, and nothing is written."""
    request.refresh_from_db()
    assert request.status == "in_review"
    body = {
        "reason": "Better where it counts.",
        "password": PASSWORD,
        "seen": request.subject_digest,
        "consent": "on",
    }
    before = Verdict.objects.count(), Event.objects.count()

    with pytest.raises(PermissionDenied):
        registry.approve(request, person)
    statuses = [
        client_for(person).post(f"/promotions/{request.uuid}/approve/", body).status_code,
        client_for(person)
        .post(f"/api/v1/promotions/{request.uuid}/approve/", body, content_type="application/json")
        .status_code,
    ]

    assert statuses == [403, 403]
    assert (Verdict.objects.count(), Event.objects.count()) == before


@pytest.mark.parametrize("road", ROADS)
def test_who_proposed_a_retraining_approves_it_by_no_road(lars, requested, ana, lee, noah, client_for, road):
    request = road(requested, lee, noah)

    assert request.subject["people"]["behind"] == sorted([str(ana.uuid), str(lars.uuid)])
    refused(request, lars, client_for)
    assert registry.approve(request, lee).verdicts.count() == 1


@pytest.fixture
def overrode(no_better, lee) -> Proposal:
    """Lee went on although it is not better; its promotion is asked for."""
    actions.override(proposal_id=no_better.uuid, actor=lee, reason="Its errors are cheaper.")
    return advance(advance(no_better))


@pytest.mark.parametrize("road", ROADS)
def test_who_requested_a_promotion_although_it_was_not_better_approves_it_by_no_road(
    overrode, lee, lena, noah, client_for, road
):
    request = road(overrode, lee, noah)

    assert request.subject["people"]["overrode"] == [str(lee.uuid)]
    refused(request, lee, client_for)
    assert registry.approve(request, lena).verdicts.count() == 1


def ask_by_hand(found: Proposal, noah) -> PromotionRequest:
    """Noah registers the run and asks, before the product does."""
    catalog.register(
        model=found.endpoint.model, run=found.run, semver="1.1.0", actor=noah, stated=registry.STATED
    )
    run_ok("default")
    return registry.asked_request(ModelVersion.objects.get(run=found.run), found.endpoint, noah)


def test_who_proposed_it_does_not_approve_a_request_that_the_product_finds_there(
    lars, training_now, noah, client_for
):
    training.finish_run(training_now.run, accuracy=1.0)
    measure(training_now, accuracy=1.0)
    request = ask_by_hand(training_now, noah)

    assert advance(training_now).promotion == request
    refused(request, lars, client_for)


def test_an_override_voids_earlier_requests_and_who_overrode_does_not_approve_the_next(
    no_better, lee, noah, client_for
):
    request = ask_by_hand(no_better, noah)
    actions.override(proposal_id=no_better.uuid, actor=lee, reason="Its errors are cheaper.")
    assert advance(no_better).promotion == request

    with pytest.raises(Conflict, match="who worked on it"):
        registry.approve(request, lee)

    assert (
        PromotionRequest.objects.get(pk=request.pk).status,
        Verdict.objects.filter(request=request).exists(),
    ) == ("voided", False)
    refused(registry.asked_request(request.version, request.endpoint, noah), lee, client_for)


# ── Who is behind a proposal, by the rows and by the trail ───────────────────
def test_another_proposer_in_the_table_frees_no_one(collected, lars, gita):
    behind_its_back("UPDATE retraining_proposal SET proposed_by_id = %s", gita.pk)

    assert people.people_behind(Proposal.objects.get(pk=collected.pk)) == {lars.uuid, gita.uuid}


def decide_first(proposal: Proposal, reviewer) -> None:
    """Decide one item of the queue, otherwise than Ana did."""
    item = labeling.queue_items(proposal.queue)[0]
    other = next(label for label in labels_now(proposal.queue.schema).values() if label.name != "refund")
    settle = partial(
        reviews.adjudicate, queue_id=proposal.queue.uuid, item_id=item.uuid, value=labeling.label_value(other)
    )
    settle(actor=reviewer, reason="It asks for no money.")


@pytest.fixture
def labeled_elsewhere(approved, lena) -> Proposal:
    """Lena answered its texts, but for those of the test split, in a queue of her own."""
    upload = Proposal.objects.get(pk=approved.pk).upload
    queue = open_queue(
        dataset_id=approved.dataset.uuid,
        actor=lena,
        name="Again",
        overlap=1,
        source=Queue.Source.UPLOAD,
        upload_id=upload.uuid,
    )
    run_ok("default")
    items = [pick.item for pick in approved.picks.exclude(kind=Pick.Kind.SAMPLE).select_related("item")]
    labeling.label_items(queue, {lena: ["refund"] * len(items)}, items)
    return Proposal.objects.get(pk=approved.pk)


def test_who_labeled_its_texts_in_another_queue_is_behind_it(labeled_elsewhere, lars, lena):
    assert (people.is_labeler(lena, labeled_elsewhere), people.behind(lena, labeled_elsewhere) == "") == (
        True,
        False,
    )
    trained = advance(labeled_elsewhere)
    assert people.people_behind(trained) == {lars.uuid, lena.uuid}
    assert people.behind(lena, trained) == people.behind(lena, labeled_elsewhere)


@pytest.mark.postgres
def test_who_labeled_its_texts_in_another_queue_does_not_approve_it_for_another_endpoint(
    labeled_elsewhere, lena, lee, noah, client_for
):
    end_training(advance(labeled_elsewhere), accuracy=1.0)

    refused(asked_for_another_endpoint(advance(advance(labeled_elsewhere)), lee, noah), lena, client_for)


def test_who_uploaded_labels_that_the_gate_counted_is_behind_it(labeled, lars, ana, lena):
    datasets.import_texts(labeled.dataset, [("one more wish", "refund")], lena)

    assert (people.is_labeler(lena, labeled), people.behind(lena, labeled) == "") == (True, False)
    assert people.people_behind(advance(labeled)) == {lars.uuid, ana.uuid, lena.uuid}


def test_how_often_is_asked_does_not_grow_with_the_labels(training_now, monkeypatch):
    pair = training_now.snapshot, training_now.live.run.snapshot
    [rows] = snapshots.newer(*pair)
    asked = []
    for number in (2, len(rows.items)):
        some = snapshots.Newer(rows.items[:number], [])
        monkeypatch.setattr(snapshots, "newer", lambda *_, some=some: [some])
        with CaptureQueriesContext(connection) as statements:
            people.labelers(*pair)
        asked.append(len(statements))

    assert len(rows.items) > 10
    assert asked[0] == asked[1]


def freeze_by_hand(proposal: Proposal, person) -> None:
    """Divide what is decided by a seed and shares of one's own."""
    snapshot_actions.freeze(
        dataset=proposal.dataset, actor=person, seed=99, shares={"train": 60, "validation": 20, "test": 20}
    )
    run_ok("default")


def test_who_divided_its_new_texts_before_the_product_did_froze_them(labeled, lee, lena, noah, client_for):
    freeze_by_hand(labeled, lena)
    end_training(advance(labeled), accuracy=1.0)
    found = advance(advance(labeled))

    assert found.promotion.subject["people"]["froze"] == [str(lena.uuid)]
    refused(asked_again(found, lee, noah), lena, client_for)


def test_who_froze_what_the_live_version_learned_has_not_frozen_newer_data(requested, mia):
    assert requested.live.run.snapshot.created_by == mia
    assert requested.promotion.subject["people"]["froze"] == []


def test_what_an_earlier_retraining_froze_is_the_work_of_no_one(no_better, endpoint, lars, mia, ana, lena):
    again = approve(collect(actions.collect_texts(proposal_id=propose(endpoint, lars).uuid, actor=mia)), lena)
    label_queue(again, ana, number=again.min_labels)

    found = advance(advance(end_training(advance(again), accuracy=1.0)))

    assert found.promotion.subject["people"]["froze"] == []


@pytest.fixture
def adjudicated(labeled, rosa) -> Proposal:
    """Rosa decided an item of its queue, which she did not annotate."""
    decide_first(labeled, rosa)
    return labeled


def test_who_adjudicated_its_queue_is_behind_it_without_an_annotation(adjudicated, lars, ana, rosa):
    assert (people.is_labeler(rosa, adjudicated), people.behind(rosa, adjudicated) == "") == (True, False)
    assert people.people_behind(advance(adjudicated)) == {lars.uuid, ana.uuid, rosa.uuid}


@pytest.mark.postgres
def test_another_adjudicator_in_the_table_frees_no_one(adjudicated, lars, ana, rosa, gita):
    behind_its_back("UPDATE queues_decision SET by_id = %s WHERE by_id = %s", gita.pk, rosa.pk)

    assert people.people_behind(advance(adjudicated)) == {lars.uuid, ana.uuid, rosa.uuid, gita.uuid}


def test_who_adjudicates_its_queue_after_its_run_was_launched_is_not_behind_it(training_now, lars, ana, rosa):
    decide_first(training_now, rosa)

    assert people.people_behind(training_now) == {lars.uuid, ana.uuid}


def test_who_adjudicated_its_queue_does_not_approve_it_when_it_is_asked_for_again(
    adjudicated, rosa, lee, noah, client_for
):
    end_training(advance(adjudicated), accuracy=1.0)

    refused(asked_again(advance(advance(adjudicated)), lee, noah), rosa, client_for)


def test_who_set_the_trigger_before_it_proposed_is_behind_it_and_who_changes_it_since_is_not(
    collected, lars, lee, lena
):
    set_drift = partial(
        actions.set_trigger, endpoint_id=collected.endpoint.uuid, kind=Kind.DRIFT, enabled=True
    )
    set_drift(actor=lee, threshold=0.2)
    collected.created_at = timezone.now()
    set_drift(actor=lena, threshold=0.3)
    collected.trigger = Trigger.objects.get()

    assert people.people_behind(collected) == {lars.uuid, lee.uuid}
