"""Model cards: each change is another revision."""

from __future__ import annotations

from django.db import transaction

from lifecycle.refusals import Conflict, Refused
from registry.access import policy as access
from registry.access.models import User
from registry.catalog import card as cards
from registry.catalog import queries, rules
from registry.catalog.actions.versions import digest_of
from registry.catalog.models import Card, ModelVersion
from registry.ledger.actions import record
from registry.ledger.verbs import Verb


@transaction.atomic
def edit_card(*, version: ModelVersion, stated: dict[str, str], seen: str, actor: User) -> Card:
    """State purpose, limits and risks anew. An open promotion of the version rests on the card before, and is void at its next use.

    seen: digest of the card that the author had before them. Raises Conflict when it is not the newest, Refused when nothing differs.
    """
    version = ModelVersion.objects.select_for_update(of=("self",), no_key=True).select_related("model__project").get(pk=version.pk)
    access.require(actor, "catalog.edit_card", version)
    said = rules.check_stated(stated)
    newest = queries.newest_card(version)
    if newest is None or newest.digest != seen:
        raise Conflict("The card changed while you were writing.", next_step="Open it again and put your change into the newest revision.")
    text = cards.write(version.facts, said)
    if text == newest.text:
        raise Refused("Nothing differs from the card as it is.", next_step="Change a field first.")
    card = Card.objects.create(version=version, revision=newest.revision + 1, text=text, stated=said, digest=digest_of(text), author=actor)
    record(
        actor, Verb.CARD_CHANGED, version, project=version.model.project.uuid, revision=card.revision, old=newest.digest, new=card.digest
    )
    return card
