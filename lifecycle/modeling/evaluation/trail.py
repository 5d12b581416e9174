"""Evaluations in the audit log and in the table: verification finds a report that was replaced under its
digest.
"""

from __future__ import annotations

from lifecycle.modeling.evaluation.models import Evaluation
from registry.ground.ledger.accounts import Account, LoggedEvent
from registry.ground.ledger.verbs import Verb


def logged_facts(events: list[LoggedEvent]) -> set[str]:
    """The facts in an evaluation's event."""
    names = ("run", "split", "rows", "root_digest", "snapshot_digest", "report_digest")
    return {measured(*(event.payload[name] for name in names)) for event in events}


def stored_facts(evaluations: list[str]) -> dict[str, set[str]]:
    """Facts from the table about these evaluations; digests are computed from the reports, few of which are
    in memory.
    """
    facts: dict[str, set[str]] = {}
    for row in (
        Evaluation.objects.filter(uuid__in=evaluations)
        .select_related("run", "snapshot", "predictions")
        .iterator(chunk_size=10)
    ):
        digest = row.computed_digest
        found = facts[str(row.uuid)] = {
            measured(row.run.uuid, row.split, row.rows, row.root_digest, row.snapshot.digest, digest)
        }
        if row.report_digest != digest:
            found.add(f"report digest {row.report_digest} doesn't match its report")
    return facts


def measured(run: object, split: str, rows: int, root_digest: str, snapshot: str, report: str) -> str:
    """The fact of what was measured on which data, and the report."""
    return (
        f"run {run}, files {root_digest}, on {rows} {split} rows of dataset version {snapshot}: report"
        f" {report}"
    )


EVALUATIONS = Account(
    "evaluations", Evaluation, frozenset({Verb.EVALUATION_RECORDED}), logged_facts, stored_facts
)
