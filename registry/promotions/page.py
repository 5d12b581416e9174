"""The content of the promotion page, by rule from what is stored. Reads, never writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.urls import reverse

from lifecycle.ground.jobs.queries import about
from lifecycle.modeling.evaluation.rules import metrics_of
from lifecycle.runtime.statistics.comparisons import as_change
from lifecycle.runtime.statistics.verdicts import Verdict
from lifecycle.runtime.task_types.by_key.measures import NAMED
from lifecycle.runtime.task_types.by_key.types import learned_as
from lifecycle.runtime.words import phrase, things
from lifecycle.ui.addresses import find_url
from lifecycle.ui.marks import Step
from lifecycle.ui.numbers import count
from registry.catalog import queries as catalog
from registry.catalog.models import ModelVersion
from registry.catalog.rules import task_type
from registry.ground.access.models import User
from registry.policies import queries as policies
from registry.policies.gates.evidence import Live, Measure
from registry.policies.gates.finding import with_interval
from registry.promotions import fates, plans, queries, rules
from registry.promotions.actions import subject
from registry.promotions.fates import Fate
from registry.promotions.models import GateResult, PromotionRequest
from registry.promotions.rules import OPEN, Status

ORDER = {GateResult.Status.FAILED: 0, GateResult.Status.WATCH: 1, GateResult.Status.PASSED: 2}


@dataclass(frozen=True, slots=True)
class ComparedMetric:
    """One measure under both versions. change, low, high: new minus live, raw; better: which direction is
    good. limit: of the live gate.
    """

    name: str
    live: float | None
    new: float
    change: float | None = None
    low: float | None = None
    high: float | None = None
    better: str = "up"
    limit: float | None = None
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class DiscussionEntry:
    """One entry of the discussion."""

    kind: str
    who: Any
    did: str
    text: str
    at: datetime


def mark(request: PromotionRequest) -> tuple[str, str]:
    """The request's state as a mark and words; in review it shows how many approvals are missing."""
    status = Status(request.status)
    if status == Status.IN_REVIEW:
        missing = len(policies.read(request.policy).steps) - sum(
            verdict.approves for verdict in request.verdicts.all()
        )
        return "half", f"Needs {missing} more approval{'' if missing == 1 else 's'}"
    if status == Status.DRAFT and request.checks:
        return "bad", "Gates not passed"
    return request.mark, status.label


def context(user: User, uuid: UUID) -> dict[str, Any]:
    """Everything the page of one request shows."""
    job = about(PromotionRequest, uuid).first()
    request = queries.full(user, uuid)
    gates = sorted(
        request.gates.filter(check_number=request.checks),
        key=lambda gate: (ORDER[GateResult.Status(gate.status)], gate.pk),
    )
    shown = gates if request.status != Status.CHECKING else []
    kind, words = mark(request)
    fate = fates.of(request)
    return {
        "request_": request,
        "version": request.version,
        "endpoint": request.endpoint,
        "state_kind": kind,
        "state_words": words,
        "fate": fate,
        "thread": thread(request, fate),
        "gates": [(gate, source(request, gate)) for gate in shown],
        "failed": tally(shown, GateResult.Status.FAILED, "failed"),
        "watched": tally(shown, GateResult.Status.WATCH, "to watch"),
        "passed": tally(shown, GateResult.Status.PASSED, "passed"),
        "signature": next((gate.status for gate in shown if gate.gate == "signature"), ""),
        "summary": summary(request, shown),
        "rows": rows(request),
        "worst": (request.comparison or {}).get("worst", []),
        "chain": chain(request),
        "rules": policies.read(request.policy),
        "plan_words": plans.sentence(request.plan),
        "plan_lines": plans.lines(plans.canary_of(request.plan)),
        "seats": queries.seats(request),
        "standing": queries.standing(user, request),
        "discussion": discussion(request, fate),
        "stale": stale(request),
        "freeze": catalog.freeze_of(request.endpoint),
        "open": request.status in OPEN,
        "may_withdraw": may_withdraw(user, request),
        "job": job if request.status == Status.CHECKING else None,
        "deploy_url": (
            find_url("endpoints:detail", uuid=request.endpoint.uuid)
            if request.status == Status.APPROVED
            else ""
        ),
    }


def tally(gates: list[GateResult], status: GateResult.Status, words: str) -> str:
    """3 gates passed; "" for none."""
    number = sum(gate.status == status for gate in gates)
    return f"{number} gate{'' if number == 1 else 's'} {words}" if number else ""


def thread(request: PromotionRequest, fate: Fate | None) -> list[Step]:
    """From the snapshot to the endpoint. fate: of a request whose version was deployed."""
    run, snapshot = request.version.run, request.version.run.snapshot
    planned = f"replaces {request.baseline.semver}" if request.baseline else "first version"
    serves = fate is not None and fate.serves
    return [
        Step("Dataset version", f"v{snapshot.number}", find_url("snapshots:detail", uuid=snapshot.uuid)),
        Step("Run", str(run.number), find_url("training:detail", uuid=run.uuid)),
        Step("Version", request.version.semver, reverse("catalog:version", args=[request.version.uuid])),
        Step("Promotion", f"request {request.number}", at="" if serves else "now"),
        Step(
            request.endpoint.get_environment_display(),
            fate.word.lower() if fate else planned if request.status in OPEN else "not deployed",
            find_url("endpoints:detail", uuid=request.endpoint.uuid),
            "now" if serves else "" if fate else "next",
        ),
    ]


def summary(request: PromotionRequest, gates: list[GateResult]) -> str:
    """At most two lines: what is in the way, what is better and worse, what to watch."""
    if not gates:
        return ""
    failed = [gate.title for gate in gates if gate.status == GateResult.Status.FAILED]
    watched = [gate.title for gate in gates if gate.status == GateResult.Status.WATCH]
    parts = [f"Failed: {'; '.join(failed)}."] if failed else []
    parts.append(against(request))
    if watched:
        parts.append(f"Watch: {'; '.join(watched)}.")
    return " ".join(parts)


def against(request: PromotionRequest) -> str:
    """One sentence about this version and the live one."""
    semver, comparison = request.version.semver, request.comparison
    if comparison is None:
        leading, known = catalog.leading_score(request.version.evaluation.report)
        score = (
            f"{leading.heading}"
            f" {with_interval(Measure(float(known['value'] or 0), known['low'], known['high']))}"
            if known
            else f"{leading.heading} not measured"
        )
        verb = "is" if request.status in OPEN else "was"
        first = (
            "First version, nothing to compare"
            if request.baseline is None
            else f"{request.baseline.semver} {verb} live; not compared"
        )
        return f"{first}. {score} on {count(request.version.evaluation.rows)} test rows."
    by = {
        verdict: [
            NAMED[name].title
            for name in compared_by(request)
            if comparison["measures"].get(name, {}).get("verdict") == verdict
        ]
        for verdict in ("better", "worse")
    }
    parts = [f"{verdict} on {phrase(names)}" for verdict, names in by.items() if names]
    live, tested = (
        comparison["baseline_semver"],
        Live(rows=comparison["rows"], clusters=comparison.get("clusters")).counted,
    )
    if not parts:
        return f"{Verdict.UNCLEAR.words.capitalize()} between {semver} and {live} on any measure, {tested}."
    return f"{semver} is {' and '.join(parts)} against {live}, {tested}."


def rows(request: PromotionRequest) -> list[ComparedMetric]:
    """The measures of this version, beside those of the live one where both were compared."""
    measures = (request.comparison or {}).get("measures", {})
    if not measures:
        known = catalog.measures(request.version.evaluation.report)
        metrics = metrics_of(request.version.evaluation.report)
        found = (
            (name, known[name])
            for name in dict.fromkeys((*metrics.strip, *metrics.compared))
            if name in known
        )
        return [
            ComparedMetric(
                NAMED[name].title, None, float(each["value"] or 0), low=each["low"], high=each["high"]
            )
            for name, each in found
        ]
    task = learned_as(task_type(request.version.facts).key).key
    gate = policies.read(request.policy).settings("live", task) or {}
    return [row(name, measures[name], gate) for name in compared_by(request) if name in measures]


def compared_by(request: PromotionRequest) -> list[str]:
    """The metrics of a comparison, the leading one first. Those of before have an ECE too, which doesn't rank
    models.
    """
    metrics = metrics_of(request.version.evaluation.report)
    return list(dict.fromkeys((metrics.leading.name, *metrics.compared)))


def row(name: str, found: Mapping[str, Any], gate: Mapping[str, Any]) -> ComparedMetric:
    """One compared measure as new minus live."""
    each = as_change(found, lower_is_better=NAMED[name].lower_is_better)
    limit = -float(gate["at_most_worse"]) if gate.get("metric") == name else None
    return ComparedMetric(
        NAMED[name].title,
        each["baseline"],
        each["candidate"],
        each["difference"],
        each["low"],
        each["high"],
        each["better"],
        limit,
        each["verdict"],
    )


def chain(request: PromotionRequest) -> list[tuple[str, str, str]]:
    """Each link of the provenance: what it is, which one, its digest."""
    version, frozen = request.version, request.version.facts
    snapshot, known = version.run.snapshot, request.subject
    card = catalog.newest_card(version)
    rows = snapshot.counts.get("rows")
    return [
        ("Dataset version", f"v{snapshot.number}, {things(rows, 'row')}", snapshot.digest),
        (
            "Labels",
            f"schema version {snapshot.schema.version}, {len(frozen['snapshot']['labels'])} labels",
            snapshot.schema.digest,
        ),
        ("Test split", f"{things(version.evaluation.rows, 'row')}, frozen", snapshot.test_digest),
        ("Base model", frozen["base"]["name"], frozen["base"]["digest"]),
        (
            "Settings",
            f"run {version.run.number}, seed {frozen['spec'].get('seed', 'not stated')}",
            version.run.spec_digest,
        ),
        (
            "Evaluation",
            f"frozen test split, {things(version.evaluation.rows, 'row')}",
            version.evaluation.report_digest,
        ),
        ("Files", f"{len(version.folder.files)} files, signed", version.root_digest),
        ("Model card", f"revision {card.revision}" if card else "none", card.digest if card else ""),
        ("Policy", f"{request.policy.name}, version {request.policy.version}", request.policy.digest),
        ("Rollout plan", plans.sentence(request.plan), known.get("plan", "")),
        ("This request", "covers all of the above" if known else "not checked yet", request.subject_digest),
    ]


def source(request: PromotionRequest, gate: GateResult) -> tuple[str, str]:
    """Where a gate's figure comes from: words and address ("" where no room shows it)."""
    version, snapshot = request.version, request.version.run.snapshot
    page = reverse("catalog:version", args=[version.uuid])
    evaluation = find_url("evaluation:detail", uuid=version.evaluation.uuid)
    divided = f"dataset version v{snapshot.number}", find_url("snapshots:detail", uuid=snapshot.uuid)
    baseline = (request.comparison or {}).get("baseline_evaluation", "")
    places = {
        **dict.fromkeys(("quality", "calibration", "limits", "verbatim"), ("evaluation", evaluation)),
        "robustness": ("robustness test", find_url("evaluation:robustness", uuid=version.evaluation.uuid)),
        "fairness": ("slices", find_url("evaluation:slices", uuid=version.evaluation.uuid)),
        "forgetting": ("run", find_url("training:detail", uuid=version.run.uuid)),
        "membership": ("evaluation", f"{evaluation}#membership"),
        "live": ("live evaluation", find_url("evaluation:detail", uuid=baseline) if baseline else ""),
        **dict.fromkeys(("leakage", "labels"), divided),
        **dict.fromkeys(
            ("signature", "size", "latency", "cost"), (f"version {version.semver}", f"{page}#files")
        ),
        "card": ("card", f"{page}#card"),
    }
    return places.get(gate.gate, ("", ""))


def discussion(request: PromotionRequest, fate: Fate | None) -> list[DiscussionEntry]:
    """The request, its verdicts and comments, its end, and the outcome of its version, newest first."""
    found = [
        DiscussionEntry("", request.requester, "requested this promotion", request.note, request.created_at)
    ]
    if request.checked_at:
        found.append(
            DiscussionEntry("", None, f"checked the gates (check {request.checks})", "", request.checked_at)
        )
    for verdict in request.verdicts.all():
        did = "approved" if verdict.approves else "rejected"
        found.append(
            DiscussionEntry(
                "ok" if verdict.approves else "bad", verdict.reviewer, did, verdict.reason, verdict.created_at
            )
        )
    for comment in request.comments.select_related("author"):
        found.append(DiscussionEntry("", comment.author, "commented", comment.text, comment.created_at))
    if request.closed_at and request.status in (Status.VOIDED, Status.EXPIRED, Status.WITHDRAWN):
        found.append(
            DiscussionEntry(
                "warn", None, Status(request.status).label.lower(), request.reason, request.closed_at
            )
        )
    if request.closed_at and request.status == Status.FULFILLED:
        by = fate.deployed_by if fate else None
        did = f"deployed {request.version.semver}, {plans.sentence(request.plan)}"
        found.append(DiscussionEntry("ok", by, did, "", request.closed_at))
    if fate and not fate.serves:
        found.append(
            DiscussionEntry(
                fate.kind, fate.by, f"{fate.word.lower()} {request.version.semver}", fate.text, fate.at
            )
        )
    return sorted(found, key=lambda entry: entry.at, reverse=True)


def stale(request: PromotionRequest) -> str:
    """What changed since the check or which approval no longer counts, as a sentence; "" while everything
    holds. Looking ends nothing: the next use does.
    """
    if request.status not in (Status.IN_REVIEW, Status.APPROVED):
        return ""
    rows = ModelVersion.objects.select_related(
        "run__snapshot__schema", "run__base__folder", "run__launched_by", "evaluation", "registered_by"
    )
    now = subject.read(request, rows.get(pk=request.version_id))
    if changed := subject.changes(request, now):
        return rules.change_sentence(changed)
    return subject.lost_sentence(request, lost) if (lost := subject.lost(request)) else ""


def may_withdraw(user: User, request: PromotionRequest) -> bool:
    """Whether this person may withdraw the request now."""
    return request.status in OPEN and queries.may_withdraw(user, request)
