"""Which roles people hold, by the trail and by the tables that decide it: what was given by another road is found by verification."""

from __future__ import annotations

from collections import defaultdict

from django.apps import apps
from django.db.models import F, Model
from guardian.models import BaseGenericObjectPermission, GroupObjectPermissionBase

from registry.access.models import PLACEHOLDER, User
from registry.ledger.accounts import Account, Told
from registry.ledger.verbs import Verb

ADMIN = "is an organisation admin"
DEACTIVATED = "is deactivated"


def told(events: list[Told]) -> set[str]:
    """What stands after these events about a person."""
    facts: set[str] = set()
    for event in events:
        match event.verb:
            case Verb.USER_CREATED if event.payload["admin"]:
                facts.add(ADMIN)
            case Verb.ADMIN_GRANTED:
                facts.add(ADMIN)
            case Verb.ADMIN_REVOKED:
                facts.discard(ADMIN)
            case Verb.USER_DEACTIVATED:
                facts.add(DEACTIVATED)
            case Verb.ROLE_GRANTED:
                facts.add(holds(event.payload["root"]))
            case Verb.ROLE_REVOKED:
                facts.discard(holds(event.payload["root"]))
    return facts


def held(people: list[str]) -> dict[str, set[str]]:
    """What the tables say of these people. Who has no account, and only stands for one in a file, was never active."""
    facts: dict[str, set[str]] = defaultdict(set)
    rows = User.objects.filter(uuid__in=people)
    for uuid in rows.filter(is_organisation_admin=True).values_list("uuid", flat=True):
        facts[str(uuid)].add(ADMIN)
    for uuid in rows.filter(is_active=False).exclude(username__startswith=PLACEHOLDER).values_list("uuid", flat=True):
        facts[str(uuid)].add(DEACTIVATED)
    for grants in grant_models():
        root = grants._meta.get_field("content_object").related_model._meta.label_lower  # type: ignore[union-attr]
        given = grants._default_manager.filter(group__user__uuid__in=people).values_list(
            F("group__user__uuid"), "content_object__uuid", "permission__codename"
        )
        for person, uuid, codename in given:
            facts[str(person)].add(holds(f"{root}:{uuid}:{codename.removeprefix('role_')}"))
    return facts


def grant_models() -> list[type[Model]]:
    """The tables whose rows give roles: one for each kind of root, as `policy` reads them."""
    bases = [model for model in apps.get_models() if issubclass(model, GroupObjectPermissionBase)]
    return [model for model in bases if not issubclass(model, BaseGenericObjectPermission)]


def holds(root: str) -> str:
    """root: kind, uuid and role, as a grant's event and group name them."""
    return f"holds {root}"


VERBS = frozenset({Verb.USER_CREATED, Verb.USER_DEACTIVATED, Verb.ADMIN_GRANTED, Verb.ADMIN_REVOKED, Verb.ROLE_GRANTED, Verb.ROLE_REVOKED})
ROLES = Account("people", User, VERBS, told, held)
