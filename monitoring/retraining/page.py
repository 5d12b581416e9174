"""What the pages of retraining show, put together from what is stored. Reads, never writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from lifecycle.runtime.task_types.by_key.measures import NAMED
from lifecycle.ui.addresses import find_url
from lifecycle.ui.marks import Step as Bead
from lifecycle.ui.numbers import count
from monitoring.retraining.actions.collect import asked_for, waits_for_collector
from monitoring.retraining.actions.consider import weigh
from monitoring.retraining.forms import ProposeForm, TriggerForm
from monitoring.retraining.models import Pick, Proposal
from monitoring.retraining.queries import people, proposals, triggers
from monitoring.retraining.rules import BUSY, LIMITS, OWN, Outcome, State, Step
from registry.audit.queries import history_of
from registry.catalog.models import Endpoint
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.access.roles import sentence


@dataclass(frozen=True, slots=True)
class RetrainingReason:
    """One fact for or against. mark: ok for what speaks for it; warn, or bad for what blocks."""

    mark: str
    word: str
    fact: str
    value: str
    url: str


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step with its result. links: (text, address)."""

    title: str
    mark: str
    word: str
    text: str
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ComparedMetric:
    """One measure of both models."""

    name: str
    live: float
    new: float
    change: float
    low: float
    high: float
    verdict: str


def listed(user: User, before: int | None) -> dict[str, Any]:
    """The list's page."""
    ended, older = proposals.ended(user, before)
    return {
        "lines": [] if before else proposals.lines(user),
        "ended": ended,
        "older": older,
        "before": before,
    }


def detail(user: User, proposal: Proposal) -> dict[str, Any]:
    """One proposal."""
    busy = proposal.state in BUSY
    return {
        "proposal": proposal,
        "endpoint": proposal.endpoint,
        "live": proposal.live,
        "thread": thread(proposal),
        "lines": reasons(proposal),
        "steps": steps(proposal),
        "rows": comparison(proposal),
        "seen": {"seen": proposals.seen_digest(proposal, proposal.endpoint.alias)},
        "picks": picks(proposal),
        "events": history_of(proposal.uuid),
        "polls": busy and proposal.state != State.OPEN,
        "place": f"{proposal.state}-{proposal.step or 'end'}",
        "compare_url": compare_url(proposal),
        "word": word(proposal),
        "few": any(reason["code"] == "few_labels" for reason in proposal.reasons_against),
    } | buttons(user, proposal)


# What approving costs, shown before.
COSTS = "Approving the start doesn't count as training: you can still approve the promotion."
BARRED = "You {why}."
RESUMES = "This resumes the run in your name, so you can't approve its promotion."


def word(proposal: Proposal) -> str:
    """Its state, or how it ended, in words."""
    return proposal.get_outcome_display() if proposal.outcome else proposal.get_state_display()


def buttons(user: User, proposal: Proposal) -> dict[str, Any]:
    """What the person may do now, and why not where they may not."""
    decides = policy.can(user, "retraining.decide", proposal)
    approves = people.may_approve(user, proposal)
    return {
        "costs": costs(user, proposal) if approves and proposal.state == State.OPEN else "",
        "retry_costs": RESUMES if proposals.retry_resumes(proposal) else "",
        "why_not_decide": "" if decides else sentence("retraining.decide"),
        "why_not_approve": "" if approves else OWN if decides else sentence("retraining.decide"),
        "collects": waits_for_collector(proposal),
        "why_not_collect": next(
            (
                sentence(action)
                for action, subject in asked_for(proposal)
                if not policy.can(user, action, subject)
            ),
            "",
        ),
        "may_withdraw": people.may_withdraw(user, proposal),
        "may_override": (
            decides
            and proposal.state == State.DONE
            and proposal.outcome in (Outcome.NOT_BETTER, Outcome.INCOMPARABLE)
        ),
    }


def costs(user: User, proposal: Proposal) -> str:
    """What approving the start means for deciding the promotion, given what this person already did: shown
    before they approve.
    """
    return BARRED.format(why=why) if (why := people.behind(user, proposal)) else COSTS


def reasons(proposal: Proposal) -> list[RetrainingReason]:
    """The reasons for and against it when it was made."""
    return reason_lines(proposal.reasons_for, proposal.reasons_against)


def reason_lines(
    found_for: list[Mapping[str, Any]], against: list[Mapping[str, Any]]
) -> list[RetrainingReason]:
    """Reasons as lines, those for it first."""
    lines = [
        RetrainingReason("ok", "for", each["fact"], each["value"], each["evidence"]) for each in found_for
    ]
    for each in against:
        blocks = each["blocks"]
        lines.append(
            RetrainingReason(
                "bad" if blocks else "warn", "against", each["fact"], each["value"], each["evidence"]
            )
        )
    return lines


def picks(proposal: Proposal) -> list[tuple[str, int, bool]]:
    """How many texts went to the analysts, by why."""
    found = proposals.picks_by_kind(proposal)
    return [(kind.label, found[kind], kind == Pick.Kind.SAMPLE) for kind in Pick.Kind if found.get(kind)]


def thread(proposal: Proposal) -> list[Bead]:
    """From the live version to what may replace it."""
    at = {True: "", False: "next"}
    live, promotion = proposal.live, proposal.promotion
    beads = [
        Bead("Live version", live.semver, find_url("catalog:version", uuid=live.uuid)),
        Bead("Proposal", str(proposal.number), at="now"),
        link("Queue", proposal.queue, "queues:queue", count(proposal.items)),
        link(
            "Dataset version",
            proposal.snapshot,
            "snapshots:detail",
            f"v{proposal.snapshot.number}" if proposal.snapshot else "",
        ),
        link("Run", proposal.run, "training:detail", str(proposal.run.number) if proposal.run else ""),
        link("Version", proposal.version, "catalog:version", proposal.semver),
    ]
    asked = Bead(
        "Promotion",
        f"request {promotion.number}" if promotion else "not requested",
        at=at[promotion is not None],
    )
    if promotion:
        asked = Bead(
            "Promotion", f"request {promotion.number}", find_url("promotions:detail", uuid=promotion.uuid)
        )
    return [*beads, asked]


def link(label: str, thing: Any, name: str, text: str) -> Bead:
    """A bead that leads to a thing, or one that is not there yet."""
    return Bead(label, text, find_url(name, uuid=thing.uuid)) if thing else Bead(label, "not yet", at="next")


# ── Steps ───────────────────────────────────────────────────────────────────
TITLES = {
    Step.QUEUE: "Send texts to labeling",
    Step.LABELS: "Resolve labels",
    Step.SNAPSHOT: "New dataset version",
    Step.RUN: "Training",
    Step.EVALUATION: "Evaluate both models",
    Step.COMPARISON: "Comparison",
    Step.VERSION: "Candidate version",
    Step.PROMOTION: "Request promotion",
}


def steps(proposal: Proposal) -> list[StepLine]:
    """All steps: done with the result of them, the present one with what it waits for, the coming ones."""
    now, order, lines = proposal.step, list(Step), []
    ended = proposal.state not in BUSY
    for wanted in order:
        done = now is None or order.index(wanted) < order.index(now)
        text, links = outcome(proposal, wanted) if done or wanted == now else ("", ())
        if done:
            lines.append(StepLine(TITLES[wanted], "ok", "done", text, links))
        elif wanted == now and not (ended and proposal.state != State.FAILED):
            mark, name = ("bad", "failed") if proposal.state == State.FAILED else ("live", "in progress")
            if proposal.state == State.OPEN and wanted != Step.QUEUE:
                mark, name = "wait", "waiting for approval"
            lines.append(
                StepLine(TITLES[wanted], mark, name, proposal.failure or proposal.blocked_by or text, links)
            )
        else:
            lines.append(
                StepLine(
                    TITLES[wanted], "off" if ended else "wait", "not done" if ended else "not started", "", ()
                )
            )
    return lines


def outcome(proposal: Proposal, step: Step) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The result of a step, and where it is."""
    found: list[tuple[str, Any, str]] = []
    text = ""
    if step == Step.QUEUE:
        text = proposal.collect_note
        if proposal.queue:
            text = f"{count(proposal.queue.items_labeled)} of {count(proposal.items)} resolved. {text}"
            found.append((proposal.queue.name, proposal.queue, "queues:queue"))
    elif step == Step.LABELS:
        text = f"{count(proposal.labels_new)} new, {count(proposal.min_labels)} required"
        found.append((proposal.dataset.name, proposal.dataset, "datasets:dataset"))
    elif step == Step.SNAPSHOT and proposal.snapshot:
        text = f"{count(proposal.snapshot.counts.get('rows'))} rows"
        found.append((str(proposal.snapshot), proposal.snapshot, "snapshots:detail"))
    elif step == Step.RUN and proposal.run:
        text = f"the recipe of {proposal.live.semver}"
        found.append((str(proposal.run), proposal.run, "training:detail"))
    elif step == Step.EVALUATION:
        found.append(("of the new model", proposal.evaluation, "evaluation:detail"))
        found.append((f"of {proposal.live.semver}", proposal.live_evaluation, "evaluation:detail"))
    elif step == Step.COMPARISON and proposal.comparison:
        text = proposal.comparison["why"]
    elif step == Step.VERSION and proposal.version:
        found.append((proposal.semver, proposal.version, "catalog:version"))
    elif step == Step.PROMOTION and proposal.promotion:
        text = proposal.promotion.get_status_display()
        found.append((f"Request {proposal.promotion.number}", proposal.promotion, "promotions:detail"))
    return text, tuple(
        (name, address)
        for name, thing, where in found
        if thing and (address := find_url(where, uuid=thing.uuid))
    )


def comparison(proposal: Proposal) -> list[ComparedMetric]:
    """Measures of both models on the same rows."""
    metrics = (proposal.comparison or {}).get("metrics", {})
    return [
        ComparedMetric(
            NAMED[name].heading,
            m["baseline"],
            m["candidate"],
            m["difference"],
            m["low"],
            m["high"],
            m["verdict"],
        )
        for name, m in metrics.items()
    ]


def compare_url(proposal: Proposal) -> str:
    """Where both evaluations stand side by side."""
    old, new = proposal.live_evaluation, proposal.evaluation
    address = find_url("evaluation:compare")
    return f"{address}?a={old.uuid}&b={new.uuid}" if old and new and address else ""


# ── An endpoint ─────────────────────────────────────────────────────────────
def panel(user: User, endpoint: Endpoint) -> dict[str, Any]:
    """Retraining of one endpoint, in a panel."""
    proposal = proposals.newest(endpoint)
    return {
        "endpoint": endpoint,
        "proposal": proposal,
        "word": word(proposal) if proposal else "",
        "triggers": triggers.triggers_on(endpoint),
        "why_not_propose": (
            "" if policy.can(user, "retraining.propose", endpoint) else sentence("retraining.propose")
        ),
        "open": proposal is not None and proposal.state in BUSY,
        "why": [each["fact"] for each in proposal.reasons_for][:2] if proposal else [],
    }


@dataclass(frozen=True, slots=True)
class Card:
    """A kind of trigger with its form, and its newest verdict."""

    setting: triggers.Setting
    form: TriggerForm
    lines: list[RetrainingReason]
    yes: bool
    has_verdict: bool
    open: bool
    threshold: str


def settings(user: User, endpoint: Endpoint, wrong: TriggerForm | None = None) -> dict[str, Any]:
    """The triggers of an endpoint. wrong: the form that was sent with mistakes."""
    seen = triggers.settings_seen(endpoint)
    cards = []
    for setting in triggers.settings(endpoint):
        form = TriggerForm(kind=setting.kind, initial=setting.initial | {"seen": seen})
        if wrong is not None and wrong.data.get("kind") == setting.kind:
            form = wrong
        verdict = setting.trigger.verdict if setting.trigger else {}
        lines = reason_lines(verdict.get("for", []), verdict.get("against", []))
        opened, threshold = setting.is_on or form is wrong, f"{setting.initial['threshold']:,g}"
        cards.append(Card(setting, form, lines, bool(verdict.get("yes")), bool(verdict), opened, threshold))
    return {
        "endpoint": endpoint,
        "cards": cards,
        "why_not_manage": (
            "" if policy.can(user, "retraining.manage", endpoint) else sentence("retraining.manage")
        ),
        "may_propose": policy.can(user, "retraining.propose", endpoint),
        "wrong": wrong,
    }


def propose(endpoint: Endpoint, form: ProposeForm) -> dict[str, Any]:
    """What supports and against it now, beside the form."""
    values = {name: limit.default for name, limit in LIMITS.items()}
    verdict = weigh(endpoint, values, timezone.now())
    found = verdict.as_json()
    return {
        "endpoint": endpoint,
        "form": form,
        "lines": reason_lines(found["for"], found["against"]),
        "possible": verdict.yes,
    }
