"""Model cards: each change is another revision."""

from __future__ import annotations

from django.db import transaction

from lifecycle.runtime.refusals import Conflict, Refused
from registry.catalog import card as cards
from registry.catalog import queries, rules, signed_cards
from registry.catalog.actions.files import check_facts
from registry.catalog.models import Card, ModelVersion
from registry.catalog.signed_cards import digest_of
from registry.ground.access import policy as access
from registry.ground.access.models import User
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb


def changed() -> Conflict:
    """Someone else wrote a revision meanwhile."""
    return Conflict(
        "The card changed while you were editing.",
        next_step="Reload the page and make your change in the newest revision.",
    )


def edit_card(*, version: ModelVersion, stated: dict[str, str], seen: str, actor: User) -> Card:
    """Write and sign another revision of a card: purpose, limits and risks. Open promotions of the version
    are void at their next use.

    seen: digest of the card that the author had before them. Raises Conflict when it is not the newest,
    Refused when nothing differs or the version's facts were changed; a revision that was altered may be
    written again as it is.
    """
    access.require(actor, "catalog.edit_card", version)
    check_facts(version)
    statements, newest = rules.check_stated(stated), queries.newest_card(version)
    if newest is None or newest.digest != seen:
        raise changed()
    text, revision = cards.write(version.facts, statements), newest.revision + 1
    if text == newest.text and not signed_cards.problem(newest):
        raise Refused("Nothing changed in the card.", next_step="Change a field first.")
    # ahead of the lock
    card = signed_cards.signed(version, revision=revision, text=text, stated=statements, author=actor)
    with transaction.atomic():
        return _write(version, card, seen, actor)


def _write(version: ModelVersion, card: Card, seen: str, actor: User) -> Card:
    version = (
        ModelVersion.objects.select_for_update(of=("self",), no_key=True)
        .select_related("model__project")
        .get(pk=version.pk)
    )
    access.require(actor, "catalog.edit_card", version)
    newest = queries.newest_card(version)
    if newest is None or (newest.digest, newest.revision + 1) != (seen, card.revision):
        raise changed()
    card.save()
    record(
        actor,
        Verb.CARD_CHANGED,
        version,
        project=version.model.project.uuid,
        revision=card.revision,
        old=newest.digest,
        new=card.digest,
        card_signature=digest_of(card.signature),
    )
    return card
