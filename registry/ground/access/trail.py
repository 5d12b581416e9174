"""What projects are called, which roles people hold and which tokens act for them, by the trail and by the
tables that decide it: what was given by another road is found by verification.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from django.db.models import F

from registry.ground.access.models import PLACEHOLDER, ApiToken, Project, User
from registry.ground.access.policy import grant_models
from registry.ground.ledger.accounts import Account, LoggedEvent, moment
from registry.ground.ledger.verbs import Verb

ADMIN = "is an organisation admin"
DEACTIVATED = "is deactivated"


def logged_facts(events: list[LoggedEvent]) -> set[str]:
    """What is after these events about a person."""
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


def stored_facts(people: list[str]) -> dict[str, set[str]]:
    """Facts from the tables about these people. Who has no account, and only represents one in a file, was
    never active.
    """
    facts: dict[str, set[str]] = defaultdict(set)
    rows = User.objects.filter(uuid__in=people)
    for uuid in rows.filter(is_organisation_admin=True).values_list("uuid", flat=True):
        facts[str(uuid)].add(ADMIN)
    for uuid in (
        rows.filter(is_active=False).exclude(username__startswith=PLACEHOLDER).values_list("uuid", flat=True)
    ):
        facts[str(uuid)].add(DEACTIVATED)
    for grants in grant_models():
        root = grants._meta.get_field("content_object").related_model._meta.label_lower  # type: ignore[union-attr]
        given = grants._default_manager.filter(group__user__uuid__in=people).values_list(
            F("group__user__uuid"), "content_object__uuid", "permission__codename"
        )
        for person, uuid, codename in given:
            facts[str(person)].add(holds(f"{root}:{uuid}:{codename.removeprefix('role_')}"))
    return facts


def holds(root: str) -> str:
    """root: kind, uuid and role, as a grant's event and group name them."""
    return f"holds {root}"


def logged_project_facts(events: list[LoggedEvent]) -> set[str]:
    """What the event of a project reports about it."""
    return {called(event.payload["slug"]) for event in events}


def stored_project_facts(projects: list[str]) -> dict[str, set[str]]:
    """Facts from the table about these projects."""
    return {
        str(uuid): {called(slug)}
        for uuid, slug in Project.objects.filter(uuid__in=projects).values_list("uuid", "slug")
    }


def called(slug: str) -> str:
    """What the project is called in addresses."""
    return f"is called {slug}"


def logged_token_facts(events: list[LoggedEvent]) -> set[str]:
    """What is after these events about a person's token."""
    facts: set[str] = set()
    for event in events:
        payload = event.payload
        if event.verb == Verb.TOKEN_REVOKED:
            facts.add(REVOKED)
            continue
        facts.add(acts_for(event.actor, payload["scopes"], payload["expires_at"]))
        facts |= {f"{LIMITED}{payload['limited_to']}", KEPT + payload["digest"]}
    return facts


def stored_token_facts(tokens: list[str]) -> dict[str, set[str]]:
    """Facts from the table about these tokens."""
    facts: dict[str, set[str]] = {}
    columns = ("uuid", "user__uuid", "scopes", "expires_at", "project__uuid", "digest", "revoked_at")
    for uuid, user, scopes, until, project, digest, revoked in ApiToken.objects.filter(
        uuid__in=tokens
    ).values_list(*columns):
        facts[str(uuid)] = {
            acts_for(user, scopes, until),
            f"{LIMITED}{project}",
            KEPT + digest,
            *([REVOKED] if revoked else []),
        }
    return facts


def acts_for(user: object, scopes: Iterable[str], until: str | datetime) -> str:
    """Whose token it is, for what and how long."""
    return f"acts for {user} with {', '.join(scopes)} until {moment(until)}"


REVOKED, LIMITED, KEPT = "is revoked", "is limited to project ", "is kept as "
VERBS = frozenset(
    {
        Verb.USER_CREATED,
        Verb.USER_DEACTIVATED,
        Verb.ADMIN_GRANTED,
        Verb.ADMIN_REVOKED,
        Verb.ROLE_GRANTED,
        Verb.ROLE_REVOKED,
    }
)
PROJECTS = Account(
    "projects", Project, frozenset({Verb.PROJECT_CREATED}), logged_project_facts, stored_project_facts
)
ROLES = Account("people", User, VERBS, logged_facts, stored_facts)
TOKENS = Account(
    "API tokens",
    ApiToken,
    frozenset({Verb.TOKEN_CREATED, Verb.TOKEN_REVOKED}),
    logged_token_facts,
    stored_token_facts,
)
