"""The card of a retrained version carries over the live version's statements with their authors, and nothing
else.
"""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied

from monitoring.retraining.models import Proposal
from monitoring.retraining.rules import State
from registry.catalog import actions as catalog
from registry.catalog import queries, signed_cards
from registry.catalog.models import Card
from registry.ground.ledger.models import Event
from registry.ground.ledger.rules import document_of
from registry.promotions.rules import PARTS
from tests.monitoring.retraining.conftest import advance, end_training
from tests.support.registry import approve
from tests.support.trail import behind_its_back
from tests.support.unchanged import refused

WORDS = {"purpose": "Mails of customers.", "limits": "None at all.", "risks": "None."}
TEXT = "Knows everything."


@pytest.fixture
def reworded(training_now, endpoint, lee) -> Card:
    """Lee has written the card of the live version anew while the new model is trained."""
    live = endpoint.alias.version
    return catalog.edit_card(version=live, stated=WORDS, seen=queries.newest_card(live).digest, actor=lee)


def registered(proposal):
    """The proposal after its registration, or after what kept it from that."""
    end_training(proposal, accuracy=1.0)
    return advance(advance(proposal))


@pytest.fixture
def copied(reworded, training_now) -> Proposal:
    """The card went along with the new version, whose promotion is requested."""
    return registered(training_now)


def test_who_wrote_the_card_that_is_copied_is_an_author_of_the_copy(copied, endpoint, mia, lee):
    version = copied.version
    card = queries.newest_card(version)

    assert (card.stated, card.author) == (WORDS, None)
    assert queries.card_authors(version) == {str(mia.uuid), str(lee.uuid)}

    behind_its_back("UPDATE catalog_card SET author_id = NULL")
    assert queries.card_authors(version) == {str(mia.uuid), str(lee.uuid)}
    asked = Event.objects.get(verb="catalog.registration_requested", actor="system")
    assert document_of(asked.canonical)["payload"]["carried"] == {
        "version": str(endpoint.alias.version.uuid),
        "revision": 2,
    }


def test_and_does_not_approve_it(copied, lee):
    request = copied.promotion

    with refused(by=PermissionDenied, naming=(PARTS["card"],)):
        approve(request, lee)


def alter(card):
    behind_its_back("UPDATE catalog_card SET stated = %s WHERE id = %s", f'{{"limits": "{TEXT}"}}', card.pk)


def add(card):
    signed_cards.signed(
        card.version, revision=card.revision + 1, text=TEXT, stated={"limits": TEXT}, author=None
    ).save()


@pytest.mark.parametrize(
    ("forge", "message"), [(alter, "changed after signing"), (add, "isn't in the audit log")]
)
def test_no_card_is_copied_that_was_altered_or_that_no_one_wrote(reworded, training_now, forge, message):
    forge(reworded)

    found = registered(training_now)

    assert (found.state, found.version) == (State.FAILED, None)
    assert message in found.failure
