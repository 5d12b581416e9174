"""What the counted minutes, the shadow and the present traffic say about a canary."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Sum

from lifecycle.runtime.statistics import clustered
from lifecycle.runtime.statistics.clustered import Sums
from monitoring.rollouts import rules
from monitoring.rollouts.models import Rollout
from monitoring.rollouts.queries.minutes import MINUTE, whole
from monitoring.rollouts.queries.segments import segments
from monitoring.rollouts.rules.units import CANARY, STABLE
from monitoring.traffic import queries as traffic
from monitoring.traffic.models import MinuteRollup, Prediction
from monitoring.traffic.rules import SHADOW
from registry.catalog.models import Endpoint, ModelVersion
from registry.catalog.queries import freeze_of
from registry.endpoints.models import Deployment
from registry.endpoints.queries import deployments, reports
from registry.endpoints.rules import ALL

KEYS_READ = 10_000


def evidence(rollout: Rollout, now: datetime, *, behind: bool = False) -> rules.Evidence:
    """What the counted minutes say at this moment: counts of the present segment, evidence of all."""
    plan, log_e, measured = rollout.rule, dict.fromkeys(rules.METRICS, 0.0), set[str]()
    present, groups = rules.Counts(), rules.Groups()
    for segment in segments(rollout):
        found = whole(segment)
        present, groups = found.counts, rules.Groups.from_json(segment.groups)
        measured |= groups.measured | ({"slow"} if found.slow_ms is not None else set())
        for metric in rules.METRICS:
            log_e[metric] += float(
                rules.log_e(*found.events[metric], segment.deployment.share / ALL, plan.rate_ratios[metric])
            )
            measured |= {metric} if any(found.events[metric]) else set()
    return rules.Evidence(
        present,
        groups,
        log_e,
        (now - rollout.step_started_at) / MINUTE,
        (now - rollout.window_started_at) / MINUTE,
        behind,
        blocked(rollout, now),
        frozenset(rules.METRICS) - measured,
        shadow_of(rollout),
    )


def blocked(rollout: Rollout, now: datetime) -> str:
    """Why it may not be widened now, whatever the evidence; empty when nothing is in the way."""
    version = ModelVersion.objects.get(pk=rollout.version_id)
    if version.state != ModelVersion.State.ACTIVE:
        return f"{version.semver} is {version.get_state_display().lower()}."
    if freeze := freeze_of(rollout.endpoint, now):
        return f"The endpoint is frozen: {freeze.reason.rstrip('.')}."
    canary = deployments.canary_of(rollout.endpoint)
    if canary and (closed := reports.guard_of(canary)):
        return f"A server closed the canary: {closed.failures} of its last {closed.of} requests failed."
    return ""


def as_shadow(version: ModelVersion, live: Deployment | None, until: datetime) -> Sums:
    """What a version predicted as a shadow since this version is live, until it began to answer itself:
    predictions that agreed with what clients got / were compared, by sender. Only what the rollups hold.
    """
    if live is None:
        return Sums()
    return traffic.total(live.endpoint, live.started_at, until, version=version, arm=SHADOW).agreeing


def shadow_of(rollout: Rollout) -> Sums:
    """The same of the version that a rollout is about, before its canary; nothing where the plan does not ask
    for it.
    """
    if rollout.rule.shadow_disagreement is None:
        return Sums()
    rows = Deployment.objects.filter(
        endpoint=rollout.endpoint_id,
        version=rollout.baseline_id,
        arm=Deployment.Arm.STABLE,
        started_at__lte=rollout.started_at,
    )
    return as_shadow(
        rollout.version, rows.select_related("endpoint").order_by("-started_at").first(), rollout.started_at
    )


def present_traffic(endpoint: Endpoint, now: datetime, version: ModelVersion | None = None) -> rules.Traffic:
    """The live version's traffic of the last hour, or of the last day where that hour was silent; feedback
    and keys of the last day; and what the version did as a shadow.
    """
    shadow = as_shadow(version, deployments.live_deployment(endpoint), now) if version else None
    names = ("requests", "errors", "refused", "shed", "right", "wrong")
    rows = MinuteRollup.objects.filter(
        endpoint=endpoint, arm__in=(STABLE, CANARY), start__gte=now - timedelta(days=1), start__lte=now
    )
    day = rows.aggregate(**{name: Sum(name, default=0) for name in names})
    hour = rows.filter(start__gte=now - timedelta(hours=1)).aggregate(
        **{name: Sum(name, default=0) for name in names}
    )
    for hours, sums in ((1, hour), (24, day)):
        if asked := answered(sums):
            judged, wrong = (
                min(1.0, part / answered(day)) for part in (day["right"] + day["wrong"], day["wrong"])
            )
            return rules.Traffic(
                asked / hours, asked, sums["errors"], *customers(endpoint, now), judged, wrong, shadow
            )
    return rules.Traffic(0.0, 0, 0, shadow=shadow)


def answered(sums: dict[str, int]) -> int:
    """The requests that were neither refused nor shed."""
    return sums["requests"] - sums["refused"] - sums["shed"]


def customers(endpoint: Endpoint, now: datetime) -> tuple[int, float, float]:
    """How many sticky keys the last day had, the share of requests that came without a key or with one that
    was new, and how much the failures of a key resemble each other.

    By its last 10,000 answers: new is a key of the newer half that the older half does not have.
    """
    rows = Prediction.objects.filter(
        endpoint=endpoint, arm__in=(STABLE, CANARY), at__gt=now - timedelta(days=1), at__lte=now
    )
    found = list(
        rows.exclude(code__gte=400, code__lt=500)
        .order_by("-at", "-id")
        .values_list("key", "code", "at")[:KEYS_READ]
    )
    keys = [key for key, *_ in found]
    newer, older = keys[: len(keys) // 2], keys[len(keys) // 2 :]
    alone = newer.count("") + len({*newer} - {*older, ""})
    failed: dict[str, dict[datetime, bool]] = {}  # by key, then by minute: what makes a unit
    for number, (key, code, at) in enumerate(found):
        units = failed.setdefault(key or str(number), {})
        minute = at.replace(second=0, microsecond=0)
        units[minute] = units.get(minute, False) or code >= 500
    alike = clustered.alike(
        clustered.sums(
            [sum(each.values()) for each in failed.values()], [len(each) for each in failed.values()]
        )
    )
    return len({*keys} - {""}), alone / len(newer) if newer else 1.0, alike
