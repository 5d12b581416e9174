"""Publishing policies."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.db import connection, transaction

from lifecycle.runtime.refusals import Refused
from registry.ground.access.models import User
from registry.ground.ledger.actions import record
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from registry.policies import queries, rules
from registry.policies.models import Policy


@transaction.atomic
def publish(*, text: str, actor: User | None) -> Policy:
    """Make a text the next version of the policy it names. Open requests under the version before are void at
    their next use.

    actor: None, the installation itself (set-up, or its operator at the machine). A publication from the
    pages takes two persons and is not offered yet, so a person is refused. Raises Refused that names the
    wrong entry, or where nothing differs.
    """
    if actor is not None:
        raise PermissionDenied(
            "Publishing a policy takes two people; until that's available, the operator publishes it."
        )
    stated = rules.read(text)
    newest = Policy.objects.select_for_update().filter(name=stated.name).order_by("-version").first()
    digest = rules.digest_of(text)
    if newest and newest.digest == digest:
        raise Refused(
            f"This is already version {newest.version} of {stated.name}.", next_step="Change the text first."
        )
    policy = Policy.objects.create(
        name=stated.name,
        version=newest.version + 1 if newest else 1,
        text=text,
        digest=digest,
        published_by=actor,
    )
    record(actor, Verb.POLICY_PUBLISHED, policy, name=policy.name, version=policy.version, digest=digest)
    return policy


def publish_standard(**_: object) -> None:
    """After migrate: an installation without any policy gets the standard one, once the tables of policies
    and of the trail are there.
    """
    tables = set(connection.introspection.table_names())
    if {Policy._meta.db_table, Event._meta.db_table} <= tables and not Policy.objects.exists():
        publish(text=queries.STANDARD.read_text(encoding="utf-8"), actor=None)
