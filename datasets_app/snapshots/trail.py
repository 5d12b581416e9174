"""Dataset versions in the audit log and in the table: verification finds versions without an event or with
other rows.
"""

from __future__ import annotations

from datasets_app.snapshots.models import Snapshot
from registry.ground.ledger.accounts import Account, LoggedEvent
from registry.ground.ledger.verbs import Verb


def logged_facts(events: list[LoggedEvent]) -> set[str]:
    """Facts about a version from its event."""
    about = ("number", "dataset", "digest", "test_digest", "manifest", "schema")
    return {frozen(*(event.payload[name] for name in about), by=event.actor) for event in events}


def stored_facts(snapshots: list[str]) -> dict[str, set[str]]:
    """Facts about these versions from the table."""
    about = ("number", "dataset__uuid", "digest", "test_digest", "manifest__digest", "schema__uuid")
    rows = Snapshot.objects.filter(uuid__in=snapshots).values_list("uuid", "created_by__uuid", *about)
    return {str(uuid): {frozen(*row, by=by or "system")} for uuid, by, *row in rows}


def frozen(
    number: int, dataset: object, digest: str, test_digest: str, manifest: str, schema: object, *, by: object
) -> str:
    """The fact of a version: its dataset, digests, and creator."""
    return (
        f"is {number} of dataset {dataset}: {digest}, test rows {test_digest}, manifest {manifest}, schema"
        f" {schema}, frozen by {by}"
    )


SNAPSHOTS = Account("snapshots", Snapshot, frozenset({Verb.SNAPSHOT_CREATED}), logged_facts, stored_facts)
