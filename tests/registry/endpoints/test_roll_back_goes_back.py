"""A rollback goes to what is older than the approval in force, never to what is newer or was itself rolled
back.
"""

import pytest
from django.db import transaction
from django.utils import timezone
from django.utils.html import escape

from lifecycle.runtime.refusals import Conflict, Refused
from registry.catalog.models import Alias, Endpoint, ModelVersion
from registry.endpoints import actions
from registry.endpoints.models import Deployment
from registry.endpoints.queries import rollback
from registry.endpoints.routes import standbys
from registry.endpoints.rules import NOTHING_BEFORE
from registry.promotions.models import PromotionRequest
from tests.support import endpoints

# What was live, oldest first: the minor number, and p where a promotion made it live or r where a rollback
# did; - is in quarantine now.
HISTORIES = {
    "0p": None,
    "0p 1p": "1.0.0",
    "0p 1p 0r": None,
    "0p 1p 2p": "1.1.0",
    "0p 1p 2p 1r": "1.0.0",
    "0p 1p 2p 1r 0r": None,
    "0p 1p 0r 1p": "1.0.0",
    "0p 1p 0r 1p 0r": None,
    "0p 1p 0r 2p": "1.0.0",
    "-0p 1p 0r 2p": None,
    "0p 1p 0r 1p 2p": "1.1.0",
    "0p 1p 2p 1r 2p 1r": "1.0.0",
    "0p -1p 2p": "1.0.0",
    "0p 1p 2p 0p": "1.2.0",
    "0p 1p 0p": "1.1.0",
    "0p 1p 0p 1r": None,
}


@pytest.fixture
def versions(live_endpoint):
    """1.0.0 to 1.2.0, of which the third is a row alone."""
    third = ModelVersion.objects.get(semver="1.1.0")
    third.pk, third.uuid, third.number, third.semver, third.root_digest = None, "0" * 32, 3, "1.2.0", "2" * 64
    third._state.adding = True
    third.save()
    return list(ModelVersion.objects.order_by("semver"))


def lived(endpoint, versions, history, slug):
    """An endpoint of its own with these intervals as rows."""
    fields = {
        name: getattr(endpoint, name) for name in ("model", "project", "environment", "policy", "created_by")
    }
    other, previous = Endpoint.objects.create(slug=slug, **fields), None
    approval, steps = PromotionRequest.objects.first(), history.split()
    for at, step in enumerate(steps):
        promoted = step.endswith("p")
        previous = Deployment.objects.create(
            endpoint=other,
            version=versions[int(step[-2])],
            previous=previous,
            epoch=1,
            approval=approval if promoted else None,
            cause="promotion" if promoted else "rollback",
            ended_at=timezone.now() if at < len(steps) - 1 else None,
        )
    return other


def test_what_an_endpoint_goes_back_to_follows_from_its_history(live_endpoint, versions):
    wrong = []
    for at, (history, expected) in enumerate(HISTORIES.items()):
        bad = [int(step[1]) for step in history.split() if step.startswith("-")]
        with transaction.atomic():
            other = lived(live_endpoint, versions, history, f"e{at}")
            ModelVersion.objects.filter(pk__in=[versions[each].pk for each in bad]).update(
                state="quarantined"
            )
            target = rollback.rollback_target(other)
            if (target.semver if target else None) != expected or standbys().get(other.pk) != target:
                wrong.append((history, target))
            transaction.set_rollback(True)

    assert wrong == []


def test_what_was_taken_back_comes_again_by_a_new_approval_alone(live_endpoint, project, omar):
    used = PromotionRequest.objects.get(version__semver="1.1.0")
    given = {"endpoint_id": live_endpoint.uuid, "actor": omar, "reason": "Wrong on refunds."}
    actions.roll_back(**given, typed="1.0.0", seen_moves=2)
    rows = Deployment.objects.count()

    with pytest.raises(Refused):
        actions.roll_back(**given, typed="1.1.0", seen_moves=3)
    with pytest.raises(Conflict):
        actions.deploy(request_id=used.uuid, actor=omar)

    assert Alias.objects.get(endpoint=live_endpoint).version.semver == "1.0.0"
    assert Deployment.objects.count() == rows
    endpoints.deploy(project, live_endpoint, used.version)
    assert Alias.objects.get(endpoint=live_endpoint).version.semver == "1.1.0"
    assert rollback.rollback_target(live_endpoint).semver == "1.0.0"


def test_the_page_shows_why_nothing_is_left_to_go_back_to(live_endpoint, omar, client_for):
    actions.roll_back(
        endpoint_id=live_endpoint.uuid, actor=omar, reason="Wrong.", typed="1.0.0", seen_moves=2
    )

    answer = client_for(omar).get(f"/endpoints/{live_endpoint.uuid}/")

    html = answer.content.decode()
    assert answer.context["why_not"]["roll_back"] == NOTHING_BEFORE
    assert f'aria-description="{escape(NOTHING_BEFORE)}"' in html
    assert f'action="/endpoints/{live_endpoint.uuid}/roll-back/"' not in html
