"""What the pages of rollouts show, put together from what is stored. Reads, never writes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone

from lifecycle.runtime.words import things
from lifecycle.ui.addresses import find_url
from lifecycle.ui.charts import Chart
from lifecycle.ui.marks import Step
from lifecycle.ui.numbers import count, duration
from monitoring.rollouts import rules
from monitoring.rollouts.charts import arms as arm_charts
from monitoring.rollouts.charts import evidence as evidence_charts
from monitoring.rollouts.models import Rollout
from monitoring.rollouts.queries import chart_data, evidence, minutes, rollouts
from monitoring.rollouts.queries import segments as segment_queries
from monitoring.rollouts.queries.chart_data import arm_points, per_second
from monitoring.rollouts.queries.evidence import present_traffic
from monitoring.rollouts.rules import State, share_text
from registry.audit.queries import history_of
from registry.catalog.models import Endpoint
from registry.endpoints.queries import deployments, listing
from registry.endpoints.rules import ALL
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.access.roles import sentence
from registry.promotions import plans
from registry.promotions.models import PromotionRequest
from registry.promotions.rules import OPEN, Status


@dataclass(frozen=True, slots=True)
class Lane:
    """One arm's part of the traffic. kind: of the bar; share: 0 to 1, None for copies; rate: requests a
    second, last full minute.
    """

    semver: str
    arm: str
    kind: str
    share: float | None
    rate: float | None


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One step of the plan. at: done, now or empty; progress: 0 to 1."""

    share: str
    text: str
    at: str
    progress: float


def panel(user: User, endpoint: Endpoint) -> dict[str, Any]:
    """The rollout of an endpoint's page: what runs, or what could be started."""
    rollout = rollouts.open_rollout(endpoint)
    if rollout:
        return (
            {"endpoint": endpoint, "rollout": rollout, "charts": drawings(rollout)}
            | live(user, rollout)
            | buttons(user, rollout)
        )
    waiting = listing.waiting(endpoint)
    plan = plans.canary_of(waiting.plan) if waiting else None
    may_start = bool(plan and deployments.live_deployment(endpoint) and not deployments.canary_of(endpoint))
    why_not = "" if policy.can(user, "rollouts.start", endpoint) else sentence("rollouts.start")
    foretell = may_start and not why_not  # it is work that no one else needs
    return {
        "endpoint": endpoint,
        "rollout": None,
        "last": rollouts.last_rollout(endpoint),
        "waiting": waiting if may_start else None,
        "why_not_start": why_not,
        "forecast": (
            rules.forecast(plan, present_traffic(endpoint, timezone.now(), waiting.version))
            if foretell and waiting and plan
            else None
        ),
    }


def live(user: User, rollout: Rollout, now: datetime | None = None) -> dict[str, Any]:
    """The part that is asked for again and again: state, traffic, steps, rule."""
    now = now or timezone.now()
    found, plan = evidence.evidence(rollout, now), rollout.rule
    decision = rules.decide(plan, found)
    rates, left = per_second(rollout.endpoint, now), rules.time_left(plan, found, rollout.share)
    return {
        "rollout": rollout,
        "endpoint": rollout.endpoint,
        "evidence": found,
        "decision": decision,
        "plan": plan,
        "lanes": lanes(rollout, rates),
        "rate": sum(rates.values()) if rates else None,
        "steps": steps(rollout, found, left),
        "left": left,
        "expected_at": now + left if left else None,
        "conditions": rules.conditions(plan, found),
        "next": share_text(plan.next_share(rollout.share)),
        "now_share": share_text(rollout.share),
        "last": chart_data.last_look(rollout),
        "blocked": found.blocked,
        "warming": warming(rollout),
    }


def warming(rollout: Rollout) -> bool:
    """Whether the canary's first requests are still left out."""
    return any(each.counted_from is None for each in segment_queries.segments(rollout)[-1:])


def lanes(rollout: Rollout, rates: dict[str, float] | None) -> list[Lane]:
    """Every arm that gets requests, or copies of them."""
    share = rollout.share / ALL

    def rate(arm: str) -> float | None:
        return None if rates is None else rates.get(arm, 0.0)

    found = [
        Lane(rollout.baseline.semver, "stable", "reference", 1 - share, rate("stable")),
        Lane(rollout.version.semver, "canary", "judged", share, rate("canary")),
    ]
    shadow = deployments.shadow_of(rollout.endpoint)
    return found + ([Lane(shadow.version.semver, "shadow", "ghost", None, rate("shadow"))] if shadow else [])


def steps(rollout: Rollout, found: rules.Evidence, left: timedelta | None) -> list[PlanStep]:
    """The plan as a bar: what is done, how far this step is, what comes."""
    plan, units = rollout.rule, found.counts.canary.units
    present, lines = plan.step_of(rollout.share), []
    for at, share in enumerate(plan.steps):
        if at < present:
            lines.append(PlanStep(share_text(share), "done", "done", 1.0))
        elif at == present:
            lines.append(
                PlanStep(
                    share_text(rollout.share),
                    f"{count(units)} of {count(plan.min_requests)} requests",
                    "now",
                    progress(plan, found),
                )
            )
        else:
            lines.append(PlanStep(share_text(share), coming(rollout, share, at - present, left), "", 0.0))
    return lines


def progress(plan: rules.Plan, found: rules.Evidence) -> float:
    """How far the minimum of this step is reached, in requests and in time: the smaller of both."""
    by_time = found.minutes / plan.min_minutes if plan.min_minutes else 1.0
    return max(0.0, min(1.0, found.counts.canary.units / plan.min_requests, by_time))


def coming(rollout: Rollout, share: int, ahead: int, left: timedelta | None) -> str:
    """What a later step waits for; for the next one, the time that is expected."""
    if share == ALL:
        return f"{rollout.baseline.semver} stays loaded"
    if ahead > 1:
        return (
            f"after {duration(60 * rollout.rule.min_minutes)} and"
            f" {things(rollout.rule.min_requests, 'request')}"
        )
    if left is None:
        return "no estimate yet"
    return f"expected in {duration(left)}" if left else "when no condition is open"


def buttons(user: User, rollout: Rollout) -> dict[str, Any]:
    """What may be done, why not, and what the dialogs say and send."""
    steer = "" if policy.can(user, "rollouts.steer", rollout) else sentence("rollouts.steer")
    abort = "" if policy.can(user, "rollouts.abort", rollout) else sentence("rollouts.abort")
    decision = rules.decide(rollout.rule, evidence.evidence(rollout, timezone.now()))
    holds = decision.kind == rules.Kind.PROMOTE
    nxt, semver, baseline = (
        share_text(rollout.rule.next_share(rollout.share)),
        rollout.version.semver,
        rollout.baseline.semver,
    )
    blocked = evidence.blocked(rollout, timezone.now())
    widening = (
        f"The canary is being widened to {share_text(rollout.next_share)}." if rollout.next_share else ""
    )
    text = f"{semver} takes {nxt} of the traffic within a second. Clients already on it stay on it."
    return {
        "why_not_steer": steer or widening,
        "why_not_widen": steer or widening or blocked,
        "why_not_abort": abort,
        "seen": {"seen": rollout.moves},
        "rule_holds": holds,
        "next": nxt,
        "widen_dialog": {
            "title": f"Widen to {nxt}?",
            "text": text if holds else f"{text} The rule wouldn't widen yet: {decision.why}",
        },
        "abort_dialog": {
            "title": f"Roll back to {baseline}?",
            "text": (
                f"All traffic goes to {baseline} within a second. The canary {semver} stops; its predictions"
                f" stay stored. {rollout.request} stays used, so another attempt needs a new approval."
            ),
        },
    }


def drawings(rollout: Rollout, only: str = "") -> dict[str, Chart]:
    """The charts by name; those without data are left out. only: one of them."""
    segments, drawn = segment_queries.segments(rollout), {}
    looks = chart_data.chart_looks(rollout, segments[-1]) if segments and only in ("", "difference") else []
    if looks:
        drawn["difference"] = evidence_charts.difference(
            rollout, looks, address(rollout, "difference", looks[-1].pk)
        )
    seen = chart_data.chart_looks(rollout) if only in ("", "evidence") else []
    if seen:
        drawn["evidence"] = evidence_charts.evidence(rollout, seen, address(rollout, "evidence", seen[-1].pk))
    if only in ("difference", "evidence"):
        return drawn
    end = rollout.ended_at or timezone.now()
    points = arm_points(rollout, end)
    mark = int(points[-1].start.timestamp()) if points else 0
    if any(value is not None for point in points for value in point.p95_ms.values()):
        drawn["latency"] = arm_charts.latency(points, rollout.started_at, address(rollout, "latency", mark))
    if any(value is not None for point in points for value in point.errors.values()):
        look = chart_data.last_look(rollout)
        drawn["errors"] = arm_charts.errors(
            points, rollout.started_at, look, rollout.rule.margin, address(rollout, "errors", mark)
        )
    shadow = deployments.shadow_of(rollout.endpoint)
    if shadow and any(point.agreement is not None for point in points):
        drawn["agreement"] = arm_charts.agreement(
            points, shadow.version.semver, address(rollout, "agreement", mark)
        )
    return drawn


def address(rollout: Rollout, name: str, since: int) -> str:
    """Where a chart asks whether there is more; nowhere once the rollout has ended."""
    return f"{reverse('rollouts:chart', args=[rollout.uuid, name])}?since={since}" if rollout.is_open else ""


def updates(rollout: Rollout, name: str, since: int) -> dict[str, Any]:
    """The chart again when there is news since the mark, else nothing; the address to continue with, or None
    at the end.
    """
    nothing: dict[str, Any] = {"traces": [], "x": [], "y": []}
    if not rollout.is_open:
        return nothing | {"next": None}
    if not news(rollout, name, since):
        return nothing | {"next": address(rollout, name, since)}
    chart = drawings(rollout, name).get(name)
    if chart is None:
        return nothing | {"next": address(rollout, name, since)}
    return nothing | {
        "next": chart.updates_url,
        "chart": {"figure": chart.json, "lead": chart.lead, "caption": chart.caption},
    }


def news(rollout: Rollout, name: str, since: int) -> bool:
    """Whether a chart would differ: a newer look, or a new step of time."""
    if name in ("difference", "evidence"):
        last = chart_data.last_look(rollout)
        return last is not None and last.pk > since
    return timezone.now().timestamp() - since >= chart_data.step_of(rollout, timezone.now()).total_seconds()


def detail(user: User, rollout: Rollout, before: int | None = None) -> dict[str, Any]:
    """The page of one rollout: what was planned, seen and decided."""
    looks, older = chart_data.page_of_looks(rollout, before)
    shown = live(user, rollout, rollout.ended_at or timezone.now()) | (
        buttons(user, rollout) if rollout.is_open else {}
    )
    return shown | {
        "rollout": rollout,
        "endpoint": rollout.endpoint,
        "thread": thread(rollout),
        "looks": looks,
        "older": older,
        "before": before,
        "charts": drawings(rollout),
        "events": history_of(rollout.uuid),
        "plan_lines": plans.lines(rollout.rule),
        "stretches": [(each, minutes.counts(each)) for each in segment_queries.segments(rollout)],
        "lasted": (rollout.ended_at or timezone.now()) - rollout.started_at,
    }


def thread(rollout: Rollout) -> list[Step]:
    """From the snapshot to the canary, and what it would replace."""
    version = rollout.version
    run, state = version.run, State(rollout.state)
    ends = {State.PROMOTED: "all traffic", State.ROLLED_BACK: "rolled back", State.ABORTED: "aborted"}
    steps = [
        Step(
            "Dataset version", f"v{run.snapshot.number}", find_url("snapshots:detail", uuid=run.snapshot.uuid)
        ),
        Step("Run", str(run.number), find_url("training:detail", uuid=run.uuid)),
        Step("Version", version.semver, reverse("catalog:version", args=[version.uuid])),
        Step(
            "Promotion",
            f"request {rollout.request.number}",
            reverse("promotions:detail", args=[rollout.request.uuid]),
        ),
        Step("Canary", ends.get(state, share_text(rollout.share)), at="now"),
    ]
    return (
        [
            *steps,
            Step(
                rollout.endpoint.get_environment_display(), f"replaces {rollout.baseline.semver}", at="next"
            ),
        ]
        if rollout.is_open
        else steps
    )


def start(request: PromotionRequest) -> dict[str, Any]:
    """The approved plan and what to expect of it; none where it is of another kind."""
    plan = plans.canary_of(request.plan)
    traffic, live = (
        present_traffic(request.endpoint, timezone.now(), request.version),
        deployments.live_deployment(request.endpoint),
    )
    is_live = bool(live and live.version_id == request.version_id)
    forecast = rules.forecast(plan, traffic) if plan else None
    return {
        "request_": request,
        "is_live": is_live,
        "endpoint": request.endpoint,
        "version": request.version,
        "traffic": traffic,
        "approved": plans.lines(plan),
        "plan_words": plans.sentence(request.plan),
        "live": live,
        "forecast": forecast,
        "is_open": request.status == Status.APPROVED and not is_live,
        "undecided": request.status in OPEN - {Status.APPROVED},
        "step_lines": [(share_text(step.share), step) for step in forecast.steps] if forecast else [],
    }
