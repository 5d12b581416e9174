"""Reading policies. They belong to the installation: anyone who may view policies in some project sees all of
them.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404

from registry.ground.access import policy as access
from registry.ground.access.policy import Person
from registry.ground.ledger import accounts
from registry.ground.ledger.verbs import Verb
from registry.policies import rules
from registry.policies.models import Policy
from registry.policies.rules import Rules

STANDARD = Path(__file__).parent / "standard.yaml"
DEFAULT = "standard"  # of every new endpoint


def visible_to(user: Person) -> QuerySet[Policy]:
    """All versions of all policies, newest first within a name; none for people without a role."""
    rows = Policy.objects.select_related("published_by").order_by("name", "-version")
    return rows if access.can_somewhere(user, "policies.view") else rows.none()


def get_visible(user: Person, uuid: UUID) -> Policy:
    """One version. Raises Http404 alike for what is hidden and what does not exist."""
    row = visible_to(user).filter(uuid=uuid).first()
    if row is None:
        raise Http404("Not found, or you don't have access.")
    return row


def in_force(name: str) -> Policy:
    """The newest version of a policy: the one that counts for every request from now on."""
    return Policy.objects.filter(name=name).order_by("-version")[:1].get()


def default() -> Policy:
    """The policy that a new endpoint gets."""
    return in_force(DEFAULT)


def is_published(policy: Policy) -> bool:
    """Whether the audit log has the publication of this name, version, and text: a row written into the
    database has no event.
    """
    uuid, digest = str(policy.uuid), rules.digest_of(policy.text)
    events = accounts.events_about(uuid, {Verb.POLICY_PUBLISHED})
    known = {(event.payload["name"], event.payload["version"], event.payload["digest"]) for event in events}
    return policy.digest == digest and (policy.name, policy.version, digest) in known


def read(policy: Policy) -> Rules:
    """The content of a published version."""
    return _read(policy.text)


@lru_cache(maxsize=64)
def _read(text: str) -> Rules:
    return rules.read(text)
