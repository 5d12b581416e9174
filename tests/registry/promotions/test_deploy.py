"""I5, I7, I16: an approval is used once, while it lasts, for what it was given; and what the room of
endpoints gets.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from lifecycle.runtime.refusals import Conflict
from registry.catalog import actions as catalog
from registry.catalog.models import Freeze
from registry.ground.ledger.models import Event
from registry.promotions import actions
from registry.promotions.models import PromotionRequest
from registry.promotions.rules import INACTIVE, Status
from tests.support import registry
from tests.support.jobs import run_ok
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def approved(version, endpoint, mia, lee, gita):
    return registry.approved_request(version, endpoint, mia, lee, gita)


def test_an_approved_request_is_ready(approved):
    assert actions.ready_to_deploy(approved.uuid) == approved


def test_a_request_in_review_is_not_ready(request_):
    with refused(by=Conflict, naming=(str(request_), "in review")):
        actions.ready_to_deploy(request_.uuid)


def test_an_expired_approval_cannot_be_deployed(approved):
    PromotionRequest.objects.filter(pk=approved.pk).update(expires_at=timezone.now() - timedelta(seconds=1))

    with pytest.raises(Conflict):
        actions.ready_to_deploy(approved.uuid)

    assert PromotionRequest.objects.get().status == Status.EXPIRED
    assert Event.objects.latest("pk").verb == "promotions.expired"


def test_no_one_decides_after_the_time_to_decide(request_, lee):
    PromotionRequest.objects.filter(pk=request_.pk).update(due_at=timezone.now() - timedelta(seconds=1))

    with pytest.raises(Conflict):
        registry.approve(request_, lee)

    assert PromotionRequest.objects.get().status == Status.EXPIRED
    assert not request_.verdicts.exists()


@pytest.mark.postgres
def test_a_frozen_endpoint_takes_no_deployment(approved, version, endpoint, lee, mia):
    freeze = catalog.freeze(
        endpoint_id=endpoint.uuid, reason="Audit.", until=timezone.now() + timedelta(days=2), actor=lee
    )

    with refused(naming=(endpoint.slug, "Audit.")):
        actions.ready_to_deploy(approved.uuid)

    catalog.lift_freeze(freeze_id=freeze.uuid, actor=lee)
    assert actions.ready_to_deploy(approved.uuid).status == Status.APPROVED


def test_a_frozen_endpoint_takes_no_decision(request_, endpoint, lee):
    until = timezone.now() + timedelta(days=2)
    catalog.freeze(endpoint_id=endpoint.uuid, reason="Audit.", until=until, actor=lee)

    with refused(naming=(endpoint.slug, "Audit.")):
        registry.approve(request_, lee)


@pytest.mark.postgres
def test_a_freeze_that_was_lifted_in_the_database_alone_still_holds(approved, endpoint, lee):
    until = timezone.now() + timedelta(days=2)
    freeze = catalog.freeze(endpoint_id=endpoint.uuid, reason="Audit.", until=until, actor=lee)
    with pytest.raises(DatabaseError), transaction.atomic():
        Freeze.objects.update(until=timezone.now())
    with pytest.raises(DatabaseError), transaction.atomic():
        Freeze.objects.filter(pk=freeze.pk).delete()

    Freeze.objects.update(lifted_at=timezone.now(), lifted_by=lee)

    with refused(), transaction.atomic():
        actions.claim_approval(approved.uuid)
    assert (PromotionRequest.objects.get().status, Freeze.objects.get().until) == (Status.APPROVED, until)


def test_a_claim_is_made_inside_the_transaction_that_deploys(approved, monkeypatch):
    with transaction.atomic():
        assert actions.claim_approval(approved.uuid) == approved


def test_a_version_that_was_quarantined_before_its_gates_were_checked_is_not_sent_to_review(
    version, endpoint, mia
):
    request = actions.request(version=version, endpoint=endpoint, note="", actor=mia)
    catalog.quarantine(version_id=version.uuid, reason="Found a fault.", actor=None)
    run_ok("default")
    request.refresh_from_db()
    assert (request.status, request.reason) == (Status.DRAFT, INACTIVE)


def test_a_version_that_was_quarantined_after_its_approval_is_not_deployed(approved):
    catalog.quarantine(version_id=approved.version.uuid, reason="Found a fault.", actor=None)

    with refused(by=Conflict, match="the version's state"), transaction.atomic():
        actions.claim_approval(approved.uuid)
    PromotionRequest.objects.filter(pk=approved.pk).update(status=Status.FULFILLED)
    with refused(by=Conflict, match="the version's state"), transaction.atomic():
        actions.check_still_holds(approved.uuid)


def test_a_claim_writes_nothing_when_something_changed(approved):
    catalog.quarantine(version_id=approved.version.uuid, reason="Found a fault.", actor=None)

    with pytest.raises(Conflict), transaction.atomic():
        actions.claim_approval(approved.uuid)

    assert PromotionRequest.objects.get().status == Status.APPROVED


def test_a_claim_of_an_approval_that_has_expired_since_writes_nothing(approved):
    PromotionRequest.objects.filter(pk=approved.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    events = Event.objects.count()

    with pytest.raises(Conflict, match="has expired"), transaction.atomic():
        actions.claim_approval(approved.uuid)

    assert (PromotionRequest.objects.get().status, Event.objects.count()) == (Status.APPROVED, events)


def test_an_approval_is_used_once(approved, endpoint, mia):
    with transaction.atomic():
        claimed = actions.claim_approval(approved.uuid)
        actions.fulfilled(claimed, endpoint, actor=mia)

    assert PromotionRequest.objects.get().status == Status.FULFILLED
    events = Event.objects.count()
    with pytest.raises(Conflict), transaction.atomic():
        actions.claim_approval(approved.uuid)
    assert (PromotionRequest.objects.get().status, Event.objects.count()) == (Status.FULFILLED, events)


def test_the_version_is_laid_out_for_the_server_and_verified(approved, settings):
    folder = catalog.materialise(approved.version)

    assert folder == settings.DATA_DIR / "serving" / "artifacts" / approved.version.root_digest
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()) == [
        "adapter_model.safetensors",
        "lifecycle.json",
        "model.sig",
        "serving/model.onnx",
    ]
    assert catalog.materialise(approved.version) == folder
