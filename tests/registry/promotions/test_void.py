"""I4, T19: whatever an approval rests on may change; then the request is void, in the transaction that
noticed, and 409 is the answer.
"""

from __future__ import annotations

import json

import pytest

from datasets_app.queues.models import Decision
from datasets_app.schemas.models import Label
from lifecycle.runtime.refusals import Conflict
from registry.catalog import actions as catalog
from registry.catalog import queries
from registry.catalog.models import Alias
from registry.ground.ledger.models import Event
from registry.ground.ledger.rules import digest_of
from registry.policies import actions as policies
from registry.policies.models import Policy
from registry.promotions import actions
from registry.promotions.models import PromotionRequest, Verdict
from registry.promotions.rules import CHANGED, Status
from tests.support import registry

pytestmark = pytest.mark.django_db


def change_card(request, mia):
    version = request.version
    catalog.edit_card(
        version=version,
        stated={"purpose": "Another purpose."},
        seen=queries.newest_card(version).digest,
        actor=mia,
    )


def change_policy(request, mia):
    newest = Policy.objects.get(name="standard")
    policies.publish(text=newest.text.replace("at_least: 0.70", "at_least: 0.75"), actor=None)


def change_baseline(request, mia):
    other = registry.make_version(
        request.endpoint.model.project,
        mia,
        mia,
        model=request.version.model,
        snapshot=request.version.run.snapshot,
        semver="0.9.0",
    )
    Alias.objects.filter(endpoint=request.endpoint).update(version=other, moves=1)


def change_label(request, mia):
    first = Decision.objects.filter(item__assignment__split="test").order_by("pk").first()
    other = Label.objects.filter(schema=first.label.schema).exclude(pk=first.label_id).first()
    Decision.objects.create(
        item=first.item,
        label=other,
        how=Decision.How.ADJUDICATED,
        by=mia,
        reason="Wrong.",
        supersedes=first,
        digest=digest_of("new"),
    )


def change_state(request, mia):
    catalog.quarantine(version_id=request.version.uuid, reason="Found a fault.", actor=None)


CHANGES = [
    (change_card, "card"),
    (change_policy, "policy"),
    (change_baseline, "baseline"),
    (change_label, "test_labels"),
    (change_state, "state"),
]


@pytest.mark.parametrize(("change", "part"), CHANGES)
def test_a_change_in_review_voids_at_approve(request_, lee, mia, change, part):
    change(request_, mia)

    with pytest.raises(Conflict, match=CHANGED[part]):
        registry.approve(request_, lee)

    request_.refresh_from_db()
    assert (request_.status, Verdict.objects.count()) == (Status.VOIDED, 0)
    assert Event.objects.latest("pk").verb == "promotions.voided"


@pytest.fixture
def approved(request_, lee, gita) -> PromotionRequest:
    """By Lee and Gita."""
    return registry.approve(registry.approve(request_, lee), gita)


@pytest.mark.parametrize(("change", "part"), CHANGES)
def test_a_change_after_approval_voids_before_it_is_deployed(approved, mia, change, part):
    change(approved, mia)

    with pytest.raises(Conflict, match=CHANGED[part]):
        actions.ready_to_deploy(approved.uuid)

    approved.refresh_from_db()
    assert approved.status == Status.VOIDED
    assert CHANGED[part] in approved.reason


def test_the_sweep_ends_what_was_overtaken(request_, mia):
    change_card(request_, mia)

    assert actions.review_open() == 1
    assert actions.review_open() == 0
    assert PromotionRequest.objects.get().status == Status.VOIDED


def test_the_sweep_takes_so_many_at_a_time(request_, version, mia, monkeypatch):
    registry.asked_request(version, registry.make_endpoint(version.model, mia), mia)
    change_card(request_, mia)
    monkeypatch.setattr(actions.subject, "BATCH", 1)

    assert [actions.review_open() for _ in range(3)] == [1, 1, 0]
    assert set(PromotionRequest.objects.values_list("status", flat=True)) == {Status.VOIDED}


def test_what_voided_a_request_is_in_the_trail(approved, mia):
    change_card(approved, mia)

    assert actions.review_open() == 1

    event = Event.objects.latest("pk")
    assert (event.verb, event.actor) == ("promotions.voided", "system")
    assert json.loads(event.canonical)["payload"] == {
        "old": Status.APPROVED,
        "subject_digest": approved.subject_digest,
        "reason": PromotionRequest.objects.get().reason,
        "changed": ["the model card"],
    }


@pytest.mark.postgres
def test_an_untouched_request_outlives_the_sweep(request_):
    assert actions.review_open() == 0
    assert PromotionRequest.objects.get().status == Status.IN_REVIEW
