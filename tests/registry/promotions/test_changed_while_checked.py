"""An approval binds what the gates judged: what changes while they are checked sends the request back, and
the next check judges it.
"""

from __future__ import annotations

import pytest

from datasets_app.queues.models import Decision
from datasets_app.schemas.models import Label
from registry.catalog import actions as catalog
from registry.catalog import queries
from registry.catalog.models import Alias
from registry.ground.ledger.models import Event
from registry.ground.ledger.rules import digest_of
from registry.policies import actions as policies
from registry.policies.gates import checking
from registry.policies.models import Policy
from registry.promotions import actions
from registry.promotions.models import PromotionRequest
from registry.promotions.rules import Status
from tests.support import registry
from tests.support.jobs import run_ok

pytestmark = pytest.mark.django_db


def empty_the_card(version, endpoint, mia):
    catalog.edit_card(
        version=version, stated={"purpose": ""}, seen=queries.newest_card(version).digest, actor=mia
    )


def ask_for_more(version, endpoint, mia):
    newest = Policy.objects.get(name="standard")
    policies.publish(text=newest.text.replace("at_least: 0.70", "at_least: 0.99"), actor=None)


def overrule_a_test_label(version, endpoint, mia):
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


def put_another_version_live(version, endpoint, mia):
    project, snapshot = endpoint.model.project, version.run.snapshot
    other = registry.make_version(project, mia, mia, model=version.model, snapshot=snapshot, semver="0.9.0")
    Alias.objects.filter(endpoint=endpoint).update(version=other, moves=1)


def quarantine(version, endpoint, mia):
    catalog.quarantine(version_id=version.uuid, reason="Found a fault.", actor=None)


@pytest.mark.parametrize("step", ["gather", "check"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (empty_the_card, "the model card"),
        (ask_for_more, "the policy"),
        (overrule_a_test_label, "a label in the test split and who worked on it"),
        (put_another_version_live, "the live version"),
        (quarantine, "the version's state"),
    ],
)
def test_a_change_before_or_after_the_gates_read_it_sends_the_request_back(
    monkeypatch, version, endpoint, mia, step, change, words
):
    room = checking if step == "check" else actions.checks.evidence
    real = getattr(room, step)

    def changed_meanwhile(*given):
        found = real(*given)
        change(version, endpoint, mia)
        return found

    monkeypatch.setattr(room, step, changed_meanwhile)

    request = registry.asked_request(version, endpoint, mia)

    assert (request.status, request.reason) == (Status.DRAFT, f"Changed during the gate check: {words}.")
    newest = Event.objects.filter(verb="promotions.checked").latest("pk")
    assert f'"new":"{Status.DRAFT}"' in newest.canonical


@pytest.mark.parametrize(("change", "gate"), [(empty_the_card, "card"), (ask_for_more, "quality")])
def test_the_next_check_judges_what_is_there_now(monkeypatch, version, endpoint, mia, change, gate):
    real = checking.check

    def changed_meanwhile(*given):
        monkeypatch.setattr(checking, "check", real)
        change(version, endpoint, mia)
        return real(*given)

    monkeypatch.setattr(checking, "check", changed_meanwhile)
    request = registry.asked_request(version, endpoint, mia)

    actions.check_again(request_id=request.uuid, actor=mia)
    run_ok("default")

    request = PromotionRequest.objects.get(pk=request.pk)
    failed = list(request.gates.filter(check_number=2, status="failed").values_list("gate", flat=True))
    assert (request.status, request.reason, failed) == (Status.DRAFT, "", [gate])
