"""Runs, by the trail and by the table: verification finds one that is said to come from others than it does, or to be somebody else's."""

from __future__ import annotations

from lifecycle.training.models import Run
from registry.ledger.accounts import Account, Told
from registry.ledger.verbs import Verb


def told(events: list[Told]) -> set[str]:
    """What the event of a run's launch says of it."""
    facts: set[str] = set()
    for event in events:
        payload = event.payload
        facts.add(launched(payload["snapshot"], payload["base"], payload["spec_digest"], by=event.actor))
        if "reproduces" in payload:
            facts.add(repeats(payload["reproduces"]))
        if "sweep" in payload:
            facts.add(is_trial(payload["trial"], payload["sweep"]))
    return facts


def held(runs: list[str]) -> dict[str, set[str]]:
    """What the table says of these runs."""
    facts: dict[str, set[str]] = {}
    columns = ("uuid", "snapshot__uuid", "base__uuid", "spec_digest", "launched_by__uuid", "reproduces__uuid", "sweep__uuid", "trial")
    for uuid, snapshot, base, spec, by, first, sweep, trial in Run.objects.filter(uuid__in=runs).values_list(*columns):
        found = facts[str(uuid)] = {launched(snapshot, base, spec, by=by or "system")}
        found |= ({repeats(first)} if first else set()) | ({is_trial(trial, sweep)} if sweep else set())
    return facts


def launched(snapshot: object, base: object, spec: str, *, by: object) -> str:
    """What it learns from what, and who launched it."""
    return f"base {base} on snapshot {snapshot} by settings {spec}, launched by {by}"


def repeats(first: object) -> str:
    """Whose settings it has."""
    return f"repeats run {first}"


def is_trial(number: int, sweep: object) -> str:
    """Of which sweep it is which trial."""
    return f"is trial {number} of sweep {sweep}"


RUNS = Account("runs", Run, frozenset({Verb.RUN_LAUNCHED}), told, held)
