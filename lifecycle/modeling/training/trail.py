"""Runs and their bases in the audit log and in the tables: verification finds a run with another origin,
owner, or other files, and a base model from another source.
"""

from __future__ import annotations

from lifecycle.modeling.training.models import BaseModel, Run
from registry.ground.ledger.accounts import Account, LoggedEvent
from registry.ground.ledger.rules import SYSTEM, digest_of
from registry.ground.ledger.verbs import Verb


def logged_facts(events: list[LoggedEvent]) -> set[str]:
    """Facts from the events of runs' launch and end."""
    facts: set[str] = set()
    for event in events:
        payload = event.payload
        if event.verb == Verb.RUN_ENDED:
            facts |= {artifact_fact(payload["artifact"])} if "artifact" in payload else set()
            continue
        facts.add(launched(payload["snapshot"], payload["base"], payload["spec_digest"], by=event.actor))
        if payload.get("base_digest"):
            facts.add(base_files(payload["base_digest"]))
        if "reproduces" in payload:
            facts.add(repeats(payload["reproduces"]))
        if "sweep" in payload:
            facts.add(is_trial(payload["trial"], payload["sweep"]))
    return facts


def stored_facts(runs: list[str]) -> dict[str, set[str]]:
    """Facts from the table about these runs."""
    facts: dict[str, set[str]] = {}
    columns = (
        "uuid",
        "snapshot__uuid",
        "base__uuid",
        "spec_digest",
        "launched_by__uuid",
        "reproduces__uuid",
        "sweep__uuid",
        "trial",
    )
    rows = Run.objects.filter(uuid__in=runs).values_list(
        *columns, "spec", "base__folder__root_digest", "artifact__root_digest"
    )
    for uuid, snapshot, base, digest, by, first, sweep, trial, spec, files, artifact in rows:
        found = facts[str(uuid)] = {launched(snapshot, base, digest, by=by or SYSTEM)}
        found |= ({repeats(first)} if first else set()) | ({is_trial(trial, sweep)} if sweep else set())
        found |= ({base_files(files)} if files else set()) | (
            {artifact_fact(artifact)} if artifact else set()
        )
        if digest_of(spec) != digest:
            found.add("settings don't match its digest")
    return facts


def launched(snapshot: object, base: object, spec: str, *, by: object) -> str:
    """What is trained on what, and who launched it."""
    return f"base {base} on dataset version {snapshot} with settings {spec}, started by {by}"


def base_files(files: str) -> str:
    """The files of its base model."""
    return f"began with files {files}"


def artifact_fact(artifact: str) -> str:
    """The files of its artifact."""
    return f"left files {artifact}"


def repeats(first: object) -> str:
    """The run whose settings it has."""
    return f"repeats run {first}"


def is_trial(number: int, sweep: object) -> str:
    """Its sweep and trial number."""
    return f"is trial {number} of sweep {sweep}"


def logged_base_facts(events: list[LoggedEvent]) -> set[str]:
    """The fact in a base model's event."""
    return {
        base_fact(event.payload["kind"], event.payload["source"], event.payload["revision"], by=event.actor)
        for event in events
    }


def stored_base_facts(bases: list[str]) -> dict[str, set[str]]:
    """Facts from the table about these base models."""
    facts: dict[str, set[str]] = {}
    rows = BaseModel.objects.filter(uuid__in=bases).values_list(
        "uuid", "kind", "source", "revision", "added_by__uuid", "run__uuid"
    )
    for uuid, kind, source, revision, by, run in rows:
        facts[str(uuid)] = {base_fact(kind, source, revision, by=by or SYSTEM)}
        if str(run or "") != (source if kind == BaseModel.Kind.RUN else ""):
            facts[str(uuid)].add(f"is of run {run}, which isn't its source")
    return facts


def base_fact(kind: str, source: str, revision: str, *, by: object) -> str:
    """Its source, and who added it."""
    return f"came from {kind} {source} {revision}, added by {by}"


RUNS = Account("runs", Run, frozenset({Verb.RUN_LAUNCHED, Verb.RUN_ENDED}), logged_facts, stored_facts)
BASES = Account(
    "base models", BaseModel, frozenset({Verb.BASE_MODEL_ADDED}), logged_base_facts, stored_base_facts
)
