"""What a rollout's canary and its stable arm did, counted; and rollouts as pages ask for them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet, Sum, Window
from django.db.models.functions import RowNumber
from django.urls import reverse
from django.utils import timezone

from lifecycle.runtime.refusals import Conflict
from lifecycle.runtime.statistics import clustered
from lifecycle.runtime.statistics.clustered import Sums
from lifecycle.ui import paging
from monitoring.rollouts import rules
from monitoring.rollouts.models import FirstEvent, Look, Minute, Rollout, Segment
from monitoring.rollouts.rules.points import ArmPoint
from monitoring.rollouts.rules.units import CANARY, STABLE
from monitoring.traffic import histogram
from monitoring.traffic import queries as traffic
from monitoring.traffic.models import Feedback, MinuteRollup, Prediction
from monitoring.traffic.rules import SHADOW
from registry.catalog.models import Endpoint, ModelVersion
from registry.catalog.queries import freeze_of
from registry.endpoints import queries as endpoints
from registry.endpoints.models import Deployment
from registry.endpoints.rules import ALL
from registry.ground.access import policy
from registry.ground.access.policy import Person
from registry.ground.ledger import accounts
from registry.ground.ledger.verbs import Verb

PAGE = 20
MINUTE = timedelta(minutes=1)
BASELINE = timedelta(hours=1)  # the stretch of the stable arm that says what is slow
# within which every server has taken a new split; a request's epoch identifies its split
LAG = timedelta(seconds=10)
MIN_FOR_SLOW = 100
CHART_POINTS = 120
KEYS_READ = 10_000
STEPS = (Verb.ROLLOUT_STEP_DECIDED, Verb.ROLLOUT_STEP_DROPPED, Verb.ROLLOUT_WIDENED)


def with_all(rows: QuerySet[Rollout]) -> QuerySet[Rollout]:
    """Everything that a page or an answer names, in one statement."""
    return rows.select_related(
        "endpoint__model__project", "version__model", "baseline__model", "request", "started_by", "ended_by"
    )


def visible(user: Person) -> QuerySet[Rollout]:
    """The rollouts that the user may see, newest first."""
    return policy.visible_to(user, with_all(Rollout.objects.all()), "rollouts.view").order_by("-id")


def page_of(
    user: Person, *, endpoint: UUID | None = None, state: str = "", before: int | None = None
) -> tuple[list[Rollout], int | None]:
    """One page, newest first, and the key to continue before (None on the last)."""
    rows = visible(user)
    rows = rows.filter(endpoint__uuid=endpoint) if endpoint else rows
    rows = rows.filter(state=state) if state else rows
    return paging.page(rows, before, PAGE)


def open_rollouts() -> QuerySet[Rollout]:
    """Those whose canary takes traffic, oldest first."""
    return with_all(Rollout.objects.filter(state__in=rules.OPEN)).order_by("id")


def open_rollout(endpoint: Endpoint) -> Rollout | None:
    """The rollout that runs on an endpoint, paused and holding ones included."""
    return open_rollouts().filter(endpoint=endpoint).first()


def beginning(rollout: Rollout) -> accounts.LoggedEvent | None:
    """The event of its start, which holds its plan."""
    return next(iter(accounts.events_about(rollout.uuid, {Verb.ROLLOUT_STARTED})), None)


def open_claim(rollout: Rollout) -> accounts.LoggedEvent | None:
    """The event of the wider share that was decided on and is neither in force nor dropped."""
    events = accounts.events_about(rollout.uuid, STEPS)
    return events[-1] if events and events[-1].verb == Verb.ROLLOUT_STEP_DECIDED else None


def page_of_canary(canary: Deployment) -> str:
    """The page of the open rollout that steers a canary; empty when none does."""
    found = Rollout.objects.filter(
        endpoint=canary.endpoint_id, request=canary.approval_id, state__in=rules.OPEN
    ).first()
    return reverse("rollouts:detail", args=[found.uuid]) if found else ""


def ends_of_canaries(canaries: Sequence[Deployment]) -> dict[int, tuple[str, str]]:
    """The mark and the word of the ended rollouts that these canaries belonged to, by the canary's key; none
    where none steered it.
    """
    rows = Rollout.objects.filter(request__in={canary.approval_id for canary in canaries}).exclude(
        state__in=rules.OPEN
    )
    ended = {
        (rollout.endpoint_id, rollout.request_id): (rollout.mark, rollout.get_state_display())
        for rollout in rows
    }
    keys = {canary.pk: (canary.endpoint_id, canary.approval_id) for canary in canaries}
    return {pk: ended[key] for pk, key in keys.items() if key in ended}


def last_rollout(endpoint: Endpoint) -> Rollout | None:
    """The newest rollout of an endpoint, ended or not."""
    return with_all(Rollout.objects.filter(endpoint=endpoint)).order_by("-id").first()


def segments(rollout: Rollout) -> list[Segment]:
    """The stretches of a rollout, the first first: from the canary that it was started with, by the audit
    log, each as the one before went on. A row that names another deployment is none.
    """
    rows = rollout.segments.filter(
        deployment__in=canaries(rollout.endpoint_id, rollout.version_id, rollout.request_id)
    )
    known, begun = (
        {each.deployment: each for each in rows.select_related("deployment").order_by("number")},
        beginning(rollout),
    )
    after = {deployment.previous_id: each for deployment, each in reversed(known.items())}
    found = [
        each for each in known.values() if begun and str(each.deployment.uuid) == begun.payload["deployment"]
    ]
    while found and (following := after.pop(found[-1].deployment_id, None)):
        found.append(following)
    return found


def present(rollout: Rollout) -> Segment:
    """The stretch that runs now, or ran last. Raises Conflict where the canary that it was started with has
    none.
    """
    found = segments(rollout)
    if not found:
        raise Conflict(
            "The audit log doesn't name the canary of this rollout.", next_step="Roll the endpoint back."
        )
    return found[-1]


def canaries(endpoint: int, version: int, approval: int | None) -> QuerySet[Deployment]:
    """The intervals in which a version was a canary of an endpoint by one approval."""
    return Deployment.objects.filter(
        endpoint=endpoint, version=version, approval=approval, arm=Deployment.Arm.CANARY
    )


def running_share(rollout: Rollout) -> int:
    """What its canary has or had last, of 10,000, by its deployment."""
    return present(rollout).deployment.share


def counts(segment: Segment) -> rules.Counts:
    """Both arms over the segment."""
    return whole(segment).counts


def whole(segment: Segment) -> Minute:
    """All minutes of the segment as one: their sums, and the highest bound of what is slow; null where none
    had one.
    """
    sums = Minute.objects.filter(segment=segment).aggregate(
        **{name: Sum(name, default=0) for name in (*Minute.COLUMNS, *Minute.FIRSTS)}, slow_ms=Max("slow_ms")
    )
    return Minute(**sums)


def first_events(
    segment: Segment, starts: Collection[datetime]
) -> QuerySet[FirstEvent, tuple[datetime, str, str, int]]:
    """(start, arm, metric, how many keys) of these minutes.

    Without the keys that were counted on the canary under a smaller share before: they were sure to stay
    there, so their next event says nothing. A key that was counted on the stable arm reaches the canary with
    at most the canary's share.
    """
    before = FirstEvent.objects.filter(
        segment__rollout=segment.rollout_id,
        segment__number__lt=segment.number,
        metric=OuterRef("metric"),
        key=OuterRef("key"),
        arm=CANARY,
    )
    rows = FirstEvent.objects.filter(~Exists(before), segment=segment, start__in=starts)
    return rows.values_list("start", "arm", "metric").annotate(keys=Count("id")).order_by("start")


def minutes_with(
    segment: Segment, metrics: Collection[str], besides: Collection[datetime]
) -> QuerySet[Minute]:
    """The counted minutes of this segment and of those after it in which something of these metrics was bad,
    besides some of its own.
    """
    bad = Q.create(
        [Q((f"{arm}_{metric}__gt", 0)) for arm in (STABLE, CANARY) for metric in metrics], connector=Q.OR
    )
    since = Segment.objects.filter(rollout=segment.rollout_id, number__gte=segment.number)
    return Minute.objects.filter(bad, segment__in=since).exclude(segment=segment, start__in=besides)


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
    canary = endpoints.canary_of(rollout.endpoint)
    if canary and (closed := endpoints.guard_of(canary)):
        return f"A server closed the canary: {closed.failures} of its last {closed.of} requests failed."
    return ""


def due_minutes(segment: Segment, now: datetime) -> dict[datetime, str]:
    """The minutes of a segment that were not counted since their rollups last changed, oldest first, with
    their stamps.

    So are those that were counted before groups of keys were.
    """
    if segment.counted_from is None:
        return {}
    until = segment.ended_at + LAG if segment.ended_at else now
    found = stamps(segment.rollout.endpoint, segment.counted_from.replace(second=0, microsecond=0), until)
    known = dict(Minute.objects.filter(segment=segment, groups__isnull=False).values_list("start", "stamp"))
    return {start: stamp for start, stamp in sorted(found.items()) if known.get(start) != stamp}


def stamps(endpoint: Endpoint, since: datetime, until: datetime) -> dict[datetime, str]:
    """What the rollups of both arms add up to, minute by minute, as one text: it differs as soon as anything
    came late.
    """
    fields = ("requests", "errors", "refused", "shed", "right", "wrong")
    rows = MinuteRollup.objects.filter(
        endpoint=endpoint, arm__in=(STABLE, CANARY), start__gte=since, start__lte=until
    )
    sums = rows.values_list("start").annotate(*(Sum(name) for name in fields)).order_by("start")
    return {start: "/".join(map(str, numbers)) for start, *numbers in sums}


def warm_from(segment: Segment, requests: int) -> datetime | None:
    """The moment after which requests count: that of the canary's last warm-up request, or the segment's
    start; None while it lasts.
    """
    if not requests:
        return segment.started_at
    rows = (
        predictions(segment, segment.started_at, timezone.now())
        .filter(arm=CANARY)
        .order_by("at", "id")
        .values_list("uuid", "at")
    )
    last = next(islice((at for uuid, at in rows.iterator() if is_first(uuid)), requests - 1, None), None)
    return last + timedelta(microseconds=1) if last else None


def is_first(prediction: UUID) -> bool:
    """Whether a prediction represents its request: the uuids of further texts are derived from it
    (traffic.spool.prediction_uuid).
    """
    return prediction.version != 5


def predictions(segment: Segment, since: datetime, until: datetime) -> QuerySet[Prediction]:
    """What both arms answered under this segment's split. The epoch identifies the split exactly, on either
    arm and by any server's clock.

    Without requests that pin a version: the split did not choose their arm, so they say nothing about it.
    """
    rows = Prediction.objects.filter(
        endpoint=segment.rollout.endpoint_id, arm__in=(STABLE, CANARY), at__gte=since, at__lt=until
    )
    rows = rows.filter(epoch__gte=segment.deployment.epoch).exclude(pinned=True)
    if segment.ended_at:
        after = successor(segment.deployment)
        rows = rows.filter(epoch__lt=after.epoch) if after else rows.filter(at__lt=segment.ended_at)
    return rows


def requests_of(segment: Segment, start: datetime) -> Iterator[rules.Request]:
    """The requests of one minute under this segment's split; refused and shed ones are no one's failure and
    left out.
    """
    begin = max(start, segment.counted_from or segment.started_at)
    words = Feedback.objects.filter(
        endpoint=segment.rollout.endpoint_id, predicted_at__gte=begin, predicted_at__lt=start + MINUTE
    )
    newest = dict(words.order_by("id").values_list("prediction", "right"))
    rows = predictions(segment, begin, start + MINUTE).exclude(code__gte=400, code__lt=500)
    found = list(rows.values_list("id", "uuid", "at", "arm", "key", "code", "latency_ms"))
    own = {
        (at, latency): str(uuid) for _, uuid, at, _, key, _, latency in found if not key and is_first(uuid)
    }
    for pk, uuid, at, arm, key, code, latency in found:
        unit = key or (str(uuid) if is_first(uuid) else own.get((at, latency), str(uuid)))
        yield rules.Request(
            arm,
            unit,
            failed=code >= 500,
            latency_ms=latency if code < 400 else None,
            wrong=newest.get(pk) is False,
            is_first=is_first(uuid),
            keyed=bool(key),
            judged=pk in newest,
        )


class SlowBounds:
    """What is slow in each minute: above the p95 of the stable arm over the hour before it.

    From the rollups' histograms: the bound is the upper end of the bucket in which the p95 lies, at most 10 %
    above it, so that an answer is slow exactly when it falls into a higher bucket. Fixed before the minute
    began, and the same for both arms, hence slow answers fall to the canary with its share if it is harmless.
    """

    def __init__(self, endpoint: Endpoint, first: datetime, last: datetime) -> None:
        rows = MinuteRollup.objects.filter(
            endpoint=endpoint, arm=STABLE, start__gte=first - BASELINE, start__lt=last
        )
        self._minutes = list(rows.order_by("start").values_list("start", "latency"))

    def at(self, start: datetime) -> float | None:
        """In ms; None while fewer than 100 answers are known."""
        merged = histogram.merge(
            latency for minute, latency in self._minutes if start - BASELINE <= minute < start
        )
        return histogram.quantile(merged, 0.95) if sum(merged.values()) >= MIN_FOR_SLOW else None


def as_shadow(version: ModelVersion, live: Deployment | None, until: datetime) -> Sums:
    """What a version predicted as a shadow since this version is live, until it began to answer itself:
    predictions that agreed with what clients got / were compared, by sender. Only what the rollups hold:
    comparisons from before keys were counted are independent.
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
    shadow = as_shadow(version, endpoints.live_deployment(endpoint), now) if version else None
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


def last_look(rollout: Rollout) -> Look | None:
    """What the rule saw last."""
    return Look.objects.filter(rollout=rollout).order_by("-id").first()


def chart_looks(rollout: Rollout, segment: Segment | None = None) -> list[Look]:
    """The looks of a rollout, thinned evenly to about 120, the last always among them. segment: those of one
    that bound the difference.
    """
    rows = Look.objects.filter(rollout=rollout)
    rows = rows.filter(segment=segment, difference__isnull=False) if segment else rows
    total = rows.count()
    step = max(1, -(-total // CHART_POINTS))
    numbered = rows.annotate(before=Window(RowNumber(), order_by="id") - 1).annotate(rest=F("before") % step)
    return list(numbered.filter(Q(rest=0) | Q(before=total - 1)).order_by("id"))


def page_of_looks(rollout: Rollout, before: int | None = None) -> tuple[list[Look], int | None]:
    """One page of looks, newest first, and the key to continue before (None on the last)."""
    rows = Look.objects.filter(rollout=rollout).select_related("segment").order_by("-id")
    return paging.page(rows, before, PAGE)


def successor(deployment: Deployment) -> Deployment | None:
    """The interval under which a canary continues with another share; None when it does not."""
    rows = canaries(deployment.endpoint_id, deployment.version_id, deployment.approval_id)
    return rows.filter(previous=deployment).select_related("started_by").first()


def next_number(rollout: Rollout) -> int:
    """The number of the segment that comes next, from 1."""
    return (Segment.objects.filter(rollout=rollout).aggregate(last=Max("number"))["last"] or 0) + 1


def per_second(endpoint: Endpoint, now: datetime) -> dict[str, float] | None:
    """Requests a second by arm over the last full minute, copies to the shadow among them; None when none
    came.
    """
    begin = now.replace(second=0, microsecond=0) - MINUTE
    rows = (
        MinuteRollup.objects.filter(endpoint=endpoint, start=begin)
        .exclude(arm="")
        .values_list("arm")
        .annotate(asked=Sum("requests"))
    )
    return {arm: asked / 60 for arm, asked in rows} or None


def step_of(rollout: Rollout, until: datetime) -> timedelta:
    """How long a step of the charts is: a minute in the first two hours, so that no chart has more than about
    120.
    """
    minutes = max(1, -(-int((until - chart_begin(rollout, until)).total_seconds() // 60) // CHART_POINTS))
    return timedelta(minutes=minutes)


def chart_begin(rollout: Rollout, until: datetime) -> datetime:
    """From when the charts show both arms: an hour before the canary, at most the last seven days."""
    return max(rollout.started_at - timedelta(hours=1), until - timedelta(days=7))


def arm_points(rollout: Rollout, until: datetime) -> list[ArmPoint]:
    """Errors and p95 by arm and step, and how often the shadow agreed; steps in which nothing came are there
    with nothing measured.
    """
    return [
        point(each)
        for each in traffic.series(
            rollout.endpoint, chart_begin(rollout, until), until, step_of(rollout, until)
        )
    ]


def point(step: traffic.Point) -> ArmPoint:
    """One step of the charts: its figures by arm, whatever version served there."""
    arms: dict[str, traffic.Total] = {}
    for (_, arm), counts in step.arms.items():
        if arm:
            arms.setdefault(arm, traffic.Total()).add(counts)
    errors = {arm: total.error_share for arm, total in arms.items()}
    shadow = arms.get("shadow")
    return ArmPoint(
        step.start,
        errors,
        {arm: total.p95_ms for arm, total in arms.items()},
        shadow.agree_share if shadow else None,
        {arm: total.latency for arm, total in arms.items()},
    )


def to_steer(user: Person) -> QuerySet[Rollout]:
    """The rollouts that hold or ask for their next step and that the user may steer, oldest first."""
    rows = policy.visible_to(user, with_all(Rollout.objects.all()), "rollouts.steer")
    return rows.filter(
        Q(state=rules.State.HOLDING) | Q(state=rules.State.RUNNING, asked_at__isnull=False)
    ).order_by("id")


def waiting_count(user: Person) -> int | None:
    """How many rollouts wait for this person; None for none."""
    return to_steer(user).order_by().count() or None
