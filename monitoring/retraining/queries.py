"""Reading proposals and triggers, and the facts that they rest on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, OuterRef, Q, QuerySet, Subquery, When

from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.datasets.rules import UploadState, normal_digest
from datasets_app.queues.models import Annotation, Decision, Queue
from datasets_app.queues.queries import decisions
from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.makers import deciders, deciders_of, imported_queues, uploaders_of
from datasets_app.snapshots.models import Snapshot
from lifecycle.modeling.evaluation import rules as evaluation_rules
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.training import queries as training
from lifecycle.modeling.training.models import Run
from lifecycle.modeling.training.queries import UNFINISHED
from lifecycle.modeling.training.rules import Workers
from lifecycle.runtime.statistics import clustered
from lifecycle.runtime.statistics.clustered import Sums
from lifecycle.ui import paging
from lifecycle.ui.addresses import find_url
from monitoring.alerts.models import Alert
from monitoring.alerts.rules.objectives import Kind as ObjectiveKind
from monitoring.alerts.rules.state import State as AlertState
from monitoring.drift import judging
from monitoring.drift import queries as drift
from monitoring.drift.measuring import has_enough_feedback
from monitoring.drift.models import Episode
from monitoring.drift.rules import UNIT, Monitor
from monitoring.retraining.models import Pick, Proposal, Trigger
from monitoring.retraining.rules import (
    BUSY,
    KINDS,
    LIMITS,
    Candidate,
    Drift,
    Facts,
    Kind,
    Outcome,
    Policy,
    Shift,
    State,
    slot_of,
)
from monitoring.traffic import queries as traffic
from registry.catalog import queries as catalog
from registry.catalog.models import Alias, Endpoint, ModelVersion
from registry.endpoints import queries as endpoints
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.access.policy import Person
from registry.ground.ledger import accounts
from registry.ground.ledger.rules import SYSTEM, digest_of
from registry.ground.ledger.verbs import Verb

PAGE = 30
RUN_ACTIVE = UNFINISHED
RUN_ENDED = (Run.State.FAILED, Run.State.STOPPED)
SETTLED = timedelta(days=1)  # a trigger that was set or changed since is like a proposal by hand
POOL = 5_000  # newest kept texts of the window from which texts are chosen
SAMPLE = 10_000  # predictions of the window whose feedback is read
COUNTED = 100_000  # labels are counted up to here
CHUNK = 500
RECENT = timedelta(days=30)
BUSY_FIRST = Case(When(state__in=sorted(BUSY), then=0), default=1)
ALWAYS = (
    "endpoint__model__project",
    "endpoint__alias__version",
    "trigger",
    "live__model",
    "dataset__project",
    "job",
)  # never empty, or cheap


# ── Proposals ───────────────────────────────────────────────────────────────
def visible(user: Person) -> QuerySet[Proposal]:
    """The proposals that the user may see, newest first, with all that a line shows."""
    rows = Proposal.objects.select_related(
        "endpoint__model__project", "trigger", "proposed_by", "live", "acting"
    ).prefetch_related("queue", "snapshot", "run", "evaluation", "live_evaluation", "version", "promotion")
    return policy.visible_to(user, rows, "retraining.view").order_by("-pk")


def full(user: Person, uuid: UUID) -> Proposal:
    """One proposal, for its page. Raises Http404."""
    return policy.get_visible(user, singly(), "retraining.view", uuid=uuid)


def singly() -> QuerySet[Proposal]:
    """For reading one proposal. Its further relations load when they are asked for: PostgreSQL plans a join
    of them all in 0.3 s.
    """
    return Proposal.objects.select_related(*ALWAYS)


def busy(endpoint: Endpoint) -> Proposal | None:
    """The proposal of an endpoint that is not ended: there is one at most."""
    return Proposal.objects.filter(endpoint=endpoint, state__in=BUSY).first()


def newest(endpoint: Endpoint) -> Proposal | None:
    """The proposal of an endpoint that is under way, else the last one."""
    rows = Proposal.objects.filter(endpoint=endpoint).select_related("queue", "run", "promotion", "live")
    return rows.order_by(BUSY_FIRST, "-pk").first()


@dataclass(frozen=True, slots=True)
class RetrainingListItem:
    """An endpoint as the list shows it. triggers: how many are on."""

    endpoint: Endpoint
    proposal: Proposal | None
    triggers: int


def lines(user: User) -> list[RetrainingListItem]:
    """The endpoints that the user may see with their newest proposal, those that wait for a decision
    first.
    """
    last = Proposal.objects.filter(endpoint=OuterRef("pk")).order_by(BUSY_FIRST, "-pk").values("pk")[:1]
    rows = catalog.endpoints(user).annotate(
        newest=Subquery(last), on=Count("triggers", filter=Q(triggers__enabled=True))
    )
    found: list[Any] = list(rows)
    proposals = {
        row.pk: row for row in visible(user).filter(pk__in=[each.newest for each in found if each.newest])
    }
    made = [RetrainingListItem(each, proposals.get(each.newest), each.on) for each in found]
    order = {State.OPEN: 0, State.FAILED: 1, State.RUNNING: 2, State.APPROVED: 2, State.REQUESTED: 3}
    return sorted(made, key=lambda line: order.get(State(line.proposal.state), 4) if line.proposal else 5)


def ended(
    user: User, before: int | None = None, endpoint: Endpoint | None = None
) -> tuple[list[Proposal], int | None]:
    """Ended proposals, newest first, and the key of the next page (None on the last)."""
    rows = visible(user).exclude(state__in=BUSY)
    rows = rows.filter(endpoint=endpoint) if endpoint else rows
    return paging.page(rows, before, PAGE)


def page_of(
    user: User, *, before: int | None = None, endpoint: UUID | None = None, state: str = ""
) -> tuple[list[Proposal], int | None]:
    """One page of proposals in any state, newest first, and the key of the next."""
    given = {"endpoint__uuid": endpoint, "state": state}
    rows = visible(user).filter(**{name: value for name, value in given.items() if value})
    return paging.page(rows, before, PAGE)


def to_decide(user: Person) -> QuerySet[Proposal]:
    """The open and failed proposals that wait for this person, oldest first; what they proposed themselves
    waits for someone else.
    """
    rows = Proposal.objects.filter(state__in=[State.OPEN, State.FAILED]).exclude(
        state=State.OPEN, proposed_by=user.pk
    )
    rows = rows.select_related("endpoint__model__project", "live")
    return policy.visible_to(user, rows, "retraining.decide").order_by("pk")


def waiting_count(user: Person) -> int | None:
    """How many open proposals wait for this lead, counted up to 100; None for everyone else."""
    if not policy.can_somewhere(user, "retraining.decide"):
        return None
    return to_decide(user).filter(state=State.OPEN).order_by()[:100].count()


def may_withdraw(user: Person, proposal: Proposal) -> bool:
    """Whether this person's part allows withdrawing: a lead at any step, the proposer while it is open."""
    if proposal.state not in (*BUSY, State.FAILED):
        return False
    if policy.can(user, "retraining.decide", proposal):
        return True
    return (
        proposal.state == State.OPEN
        and proposal.proposed_by_id == user.pk
        and policy.can(user, "retraining.propose", proposal)
    )


def may_approve(user: Person, proposal: Proposal) -> bool:
    """Whether this person's part allows approving: a lead's, but for what they proposed by hand."""
    return policy.can(user, "retraining.decide", proposal) and proposal.proposed_by_id != user.pk


def retry_resumes(proposal: Proposal) -> bool:
    """Whether trying the failed step again resumes a run, in the name of who tries again."""
    return proposal.state == State.FAILED and proposal.run is not None and proposal.run.state in RUN_ENDED


def behind(user: User, proposal: Proposal) -> str:
    """What this person already did, and that it bars or may bar them from approving the promotion; "" for
    nothing.
    """
    base = proposal.live.run.base.run
    workers = training.workers_of(base) if base else Workers()
    if user.uuid in workers.behind | workers.overrode:
        return (
            "took part in a retraining that the new model starts from, so you can't approve the promotion"
            " that may follow"
        )
    if user.uuid in workers.trained:
        return (
            "launched or resumed a run that the new model starts from, so you can't approve the promotion"
            " that may follow"
        )
    if str(user.uuid) in deciders(proposal.live.run.snapshot):
        return (
            "labeled or uploaded rows of its test split, so you can't approve the promotion that may follow"
        )
    if is_labeler(user, proposal):
        return "labeled or uploaded texts for it, so you can't approve the promotion that may follow"
    return ""


def is_labeler(user: User, proposal: Proposal) -> bool:
    """Whether this person's work is among the labels and texts that its run learns and the live version did
    not. Before it is launched: whether they decided, annotated or uploaded anything in the dataset since the
    live version's snapshot, much of which it may learn.
    """
    if proposal.run:
        return user.uuid in training.workers_of(proposal.run).behind
    since = {"created_at__gt": proposal.live.run.snapshot.created_at}
    uploads = Upload.objects.filter(dataset=proposal.dataset_id, **since).exclude(pk=proposal.upload_id or 0)
    answers = Annotation.objects.exclude(queue__source=Queue.Source.IMPORTED)  # by people whom a file names
    return (
        answers.filter(user=user, item__dataset=proposal.dataset_id, **since).exists()
        or Decision.objects.filter(by=user, item__dataset=proposal.dataset_id, **since).exists()
        or uploads.filter(Q(uploaded_by=user) | Q(accepted_by=user)).exists()
    )


def people_behind(proposal: Proposal) -> frozenset[UUID]:
    """Whose work the new model is, beside those who trained it: who proposed it, by hand or by a trigger that
    was set or changed within a day before, and whose work its new labels and texts are. By the rows and by
    the audit log: neither alone clears anyone.
    """
    trigger, made = proposal.trigger, proposal.created_at
    rows = [(proposal.proposed_by, made), (trigger.author, trigger.set_at) if trigger else (None, made)]
    work = [(str(each.uuid), at) for each, at in rows if each]
    subjects = [str(proposal.uuid), *([str(trigger.uuid)] if trigger else [])]
    events = accounts.events_of(subjects, {Verb.RETRAIN_PROPOSED, Verb.TRIGGER_SET})
    work += [
        (event.actor, made if event.verb == Verb.RETRAIN_PROPOSED else event.at)
        for logged in events.values()
        for event in logged
    ]
    found = {UUID(actor) for actor, at in work if actor != SYSTEM and made - SETTLED < at <= made}
    snapshot = proposal.run.snapshot if proposal.run else proposal.snapshot
    return frozenset(found | (labelers(snapshot, proposal.live.run.snapshot) if snapshot else set()))


def labelers(snapshot: Snapshot, live: Snapshot) -> set[UUID]:
    """Whose work the labels are that a snapshot has and the live version's lacks, whatever queue or file they
    came by and whenever, and who annotated or uploaded the texts that are new in it. What came after it was
    frozen doesn't count.
    """
    then = {"created_at__lte": snapshot.created_at}
    people: set[str] = set()
    for rows in snapshots.newer(snapshot, live):
        annotations = Annotation.objects.filter(item__in=rows.items, **then).order_by()
        people |= {
            *map(
                str,
                annotations.exclude(queue__in=imported_queues(annotations))
                .values_list("user__uuid", flat=True)
                .distinct(),
            )
        }
        people |= deciders_of(Decision.objects.filter(item__in=rows.items, **then).order_by())
        people |= deciders_of(Decision.objects.filter(uuid__in=rows.decisions).order_by())
        people |= uploaders_of(Item.objects.filter(pk__in=rows.items))
    return {*map(UUID, people)}


def workers_of(runs: Collection[UUID]) -> Workers:
    """Who is behind retrainings whose runs were launched before the event of a launch named them, and who
    requested a promotion although a model was not better.
    """
    parts = ("trigger__author", "proposed_by", "live__run__snapshot", "run")
    rows = list(Proposal.objects.filter(run__uuid__in=runs).select_related(*parts))
    events = accounts.events_of(
        [str(row.uuid) for row in rows], {Verb.RETRAIN_APPROVED, Verb.RETRAIN_OVERRIDDEN}
    )
    overrode = {
        UUID(event.actor)
        for some in events.values()
        for event in some
        if event.verb == Verb.RETRAIN_OVERRIDDEN
    }
    return Workers(behind=frozenset().union(*map(people_behind, rows)), overrode=frozenset(overrode))


def may_request(user: Person, proposal: Proposal) -> bool:
    """Whether this person may request promotion to the endpoint."""
    return policy.can(user, "promotions.request", proposal.endpoint)


def unended() -> list[UUID]:
    """The proposals that the tick looks after, oldest first."""
    return list(Proposal.objects.filter(state__in=BUSY).order_by("pk").values_list("uuid", flat=True))


def seen_digest(proposal: Proposal, alias: Alias) -> str:
    """What a decision is bound to: the reasons, the settings and what is live."""
    return digest_of(
        {
            "proposal": str(proposal.uuid),
            "state": proposal.state,
            "live": proposal.live_id,
            "now": alias.version_id,
            "moves": alias.moves,
            "for": proposal.reasons_for,
            "against": proposal.reasons_against,
            "min_labels": proposal.min_labels,
        }
    )


# ── Triggers ────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Setting:
    """A kind of trigger on an endpoint: as it is set, or with its defaults where it is not."""

    kind: Kind
    help: str
    unit: str
    trigger: Trigger | None
    initial: dict[str, Any]

    @property
    def is_on(self) -> bool:
        """Whether it proposes on its own."""
        return self.trigger is not None and self.trigger.enabled


def settings(endpoint: Endpoint) -> list[Setting]:
    """All kinds of trigger of an endpoint, in their order."""
    known = {trigger.kind: trigger for trigger in endpoint.triggers.select_related("author")}
    return [
        Setting(kind, meaning.help, meaning.unit, known.get(kind), values(known.get(kind), kind))
        for kind, meaning in KINDS.items()
    ]


def triggers_on(endpoint: Endpoint) -> list[str]:
    """The names of the triggers that are on."""
    return [
        Kind(kind).label
        for kind in endpoint.triggers.filter(enabled=True).order_by("kind").values_list("kind", flat=True)
    ]


def values(trigger: Trigger | None, kind: Kind) -> dict[str, Any]:
    """What a form of this kind begins with."""
    if trigger is None:
        return {"threshold": KINDS[kind].default, "enabled": False} | {
            name: limit.default for name, limit in LIMITS.items()
        }
    return {name: getattr(trigger, name) for name in ("threshold", "enabled", *LIMITS)}


def policy_of(trigger: Trigger) -> Policy:
    """A trigger as the rules read it."""
    return Policy(trigger.kind, trigger.threshold, trigger.cooldown_days, trigger.min_labels, trigger.budget)


# ── Facts ───────────────────────────────────────────────────────────────────
def live_version(endpoint: Endpoint) -> ModelVersion | None:
    """The version that is live, with the run, snapshot and dataset behind it."""
    found = ModelVersion.objects.filter(aliases__endpoint=endpoint)
    return found.select_related("model__project", "evaluation", "run__snapshot__dataset", "run__base").first()


def gather(endpoint: Endpoint, now: datetime, window_days: int) -> Facts:
    """Everything that is known now. The window ends now; figures are of the live version's answers."""
    live, frozen = live_version(endpoint), catalog.freeze_of(endpoint, now)
    canary, other, last = endpoints.canary_of(endpoint), busy(endpoint), cooled_by(endpoint)
    urls = {
        "endpoint": find_url("endpoints:detail", uuid=endpoint.uuid),
        "predictions": find_url("traffic:recent", uuid=endpoint.uuid),
    }
    common: dict[str, Any] = {
        "frozen": (
            f"The endpoint is frozen until {frozen.until:%d %b %H:%M} UTC: {frozen.reason}" if frozen else ""
        ),
        "canary": f"{canary.version.semver} is running as a canary" if canary else "",
        "proposal": f"{other} is {other.get_state_display().lower()}" if other else "",
        "last_at": last.created_at if last else None,
        "recent": (
            Proposal.objects.filter(
                endpoint=endpoint, run__isnull=False, run__created_at__gt=now - RECENT
            ).count()
        ),
    }
    if other:
        urls["proposal"] = find_url("retraining:detail", uuid=other.uuid)
    if live is None:
        return Facts(urls=urls, **common)
    since = now - timedelta(days=window_days)
    snapshot, total = live.run.snapshot, traffic.total(endpoint, since, now, version=live)
    run = (
        Run.objects.filter(snapshot__dataset=snapshot.dataset_id, state__in=UNFINISHED)
        .order_by("-pk")
        .first()
    )
    if run:
        urls["run"] = find_url("training:detail", uuid=run.uuid)
    urls |= {
        "version": find_url("catalog:version", uuid=live.uuid),
        "dataset": find_url("datasets:dataset", uuid=snapshot.dataset.uuid),
        "drift": find_url("drift:endpoint", uuid=endpoint.uuid),
        "alerts": find_url("alerts:endpoint", uuid=endpoint.uuid),
    }
    sample = (
        traffic.feedback_sample(endpoint, since, now, live, SAMPLE, total.answers) if total.judged else []
    )
    return Facts(
        live=live.semver,
        drift=drift_of(endpoint, live),
        quality_alert=quality_alert(endpoint),
        with_feedback=total.judged,
        judged=total.correct,
        enough_feedback=has_enough_feedback(total),
        not_wrong=by_key((each.key, each.right is not False) for each in sample),
        overridden=by_key((each.key, each.overridden) for each in sample),
        senders=keys_of(sample),
        expected=live.evaluation.report.get("accuracy"),
        tested=live.evaluation.rows,
        **groups_of(live.evaluation),
        answers=total.answers,
        labels_new=labels_since(snapshot.dataset, snapshot.created_at),
        snapshot_at=snapshot.created_at,
        run=f"{run} trains on this data" if run else "",
        urls=urls,
        **common,
    )


def groups_of(evaluation: Evaluation) -> dict[str, Any]:
    """groups and between, as `Facts` has them; empty where each row is a group of its own, or an older report
    lacks them.
    """
    groups, (low, high) = (
        evaluation.report.get("clusters"),
        evaluation_rules.interval(evaluation.report, "accuracy"),
    )
    return (
        {"groups": groups, "between": (low, high)}
        if groups and groups < evaluation.rows and None not in (low, high)
        else {}
    )


def by_key(words: Iterable[tuple[str, bool]]) -> Sums:
    """Predictions that are so / all of them, by sticky key; without a key each is a cluster of its own, as
    all are where one key alone is known, since that doesn't identify senders.
    """
    clusters: dict[str, list[bool]] = defaultdict(list)
    for key, so in words:
        clusters[key].append(so)
    lone = clusters.pop("", [])
    if len(clusters) == 1:
        lone += clusters.popitem()[1]
    keyed = clustered.sums(
        [sum(each) for each in clusters.values()], [len(each) for each in clusters.values()]
    )
    return keyed + clustered.alone(sum(lone), len(lone))


def keys_of(sample: Iterable[traffic.Judged]) -> int | None:
    """How many different keys are among them; None where predictions are taken as independent."""
    keys = len({each.key for each in sample if each.key})
    return keys if keys > 1 else None


def cooled_by(endpoint: Endpoint) -> Proposal | None:
    """The newest proposal that others wait after. One that was overtaken, as by a rollback, came to nothing,
    so no one waits after it.
    """
    return (
        Proposal.objects.filter(endpoint=endpoint).exclude(outcome=Outcome.OVERTAKEN).order_by("-pk").first()
    )


def drift_of(endpoint: Endpoint, live: ModelVersion) -> Drift:
    """The drift state of the live version, as its page shows it, and its open monitors with what they
    measured last.
    """
    standing = drift.standing([endpoint])[endpoint.pk]
    return Drift(
        standing.state or "",
        tuple(shift_of(standing, each) for each in standing.open if each.version_id == live.pk),
    )


def shift_of(standing: drift.Standing, episode: Episode) -> Shift:
    """An open monitor as the rules read it."""
    found, monitor = standing.reading(episode), Monitor(episode.monitor)
    opened = "" if found.newest else f" when it opened, {found.at:%d %b}"
    text = f"{judging.against(monitor, found.value, found.limit)}{opened}"
    return Shift(monitor.label, None if monitor in UNIT else found.value, text, episode.opened_at)


def quality_alert(endpoint: Endpoint) -> str:
    """The title of the open alert of the quality objective; empty where there is none."""
    rows = (
        Alert.objects.filter(endpoint=endpoint, source__startswith="objective")
        .exclude(state=AlertState.RESOLVED)
        .order_by("-id")
    )
    quality = ObjectiveKind.QUALITY.value
    return next(
        (row.title for row in rows[:20] if row.source.endswith(quality) or quality in row.key.values()), ""
    )


def due_triggers(now: datetime) -> list[Trigger]:
    """The triggers that are on and were not considered in these ten minutes, those longest ago first."""
    rows = Trigger.objects.filter(enabled=True).filter(Q(slot=None) | Q(slot__lt=slot_of(now)))
    return list(rows.select_related("endpoint__model__project", "author").order_by("slot", "pk"))


def picks_by_kind(proposal: Proposal) -> dict[str, int]:
    """How many texts of each kind went to the analysts."""
    rows = Pick.objects.filter(proposal=proposal).order_by().values_list("kind").annotate(number=Count("pk"))
    return dict(rows.values_list("kind", "number"))


def settings_seen(endpoint: Endpoint) -> str:
    """What a form of the settings is bound to: all of them as they are."""
    rows = endpoint.triggers.order_by("kind").values_list("kind", "threshold", "enabled", *LIMITS)
    return digest_of([list(row) for row in rows])


def labels_since(dataset: Dataset, moment: datetime) -> int:
    """How many labels of the dataset that hold were decided after a moment, counted up to 100,000."""
    rows = decisions.standing().filter(
        item__dataset=dataset, item__upload__state=UploadState.IMPORTED, created_at__gt=moment
    )
    return rows.order_by()[:COUNTED].count()


# ── The texts of a window ───────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Texts:
    """The kept texts of a window. candidates: as the rule sees them, their pk the place in texts. known:
    normal digests in the dataset.

    right: correct labels from feedback of those called wrong. missing: how many were called wrong and have no
    text any more.
    """

    candidates: list[Candidate]
    texts: list[traffic.Kept]
    right: dict[UUID, str]
    known: frozenset[str]
    missing: int


def window_texts(proposal: Proposal) -> Texts:
    """The kept texts of the live version's answers in the window, newest first: those called wrong, and the
    newest 5,000 of all.
    """
    endpoint, since, until, live = (
        proposal.endpoint,
        proposal.window_start,
        proposal.window_end,
        proposal.live,
    )
    wrong = {each.uuid: each for each in traffic.reported_wrong(endpoint, since, until, POOL, live)}
    found = {each.uuid: each for each in traffic.texts(endpoint, since, until, POOL, live)} | wrong
    texts = sorted(found.values(), key=lambda text: (text.at, str(text.uuid)), reverse=True)
    rows = [
        Candidate(
            at,
            normal_digest(each.text),
            each.confidence if each.confidence is not None else 1.0,
            each.uuid in wrong,
        )
        for at, each in enumerate(texts)
    ]
    known = known_texts(proposal.dataset, [each.normal for each in rows])
    right = {uuid: each.right for uuid, each in wrong.items()}
    return Texts(rows, texts, right, known, traffic.wrong_without_text(endpoint, since, until, live))


def known_texts(dataset: Dataset, normals: list[str]) -> frozenset[str]:
    """Which of these normal digests the dataset has already."""
    found: set[str] = set()
    for some in chunks(normals):
        rows = Item.objects.filter(
            dataset=dataset, upload__state=UploadState.IMPORTED, normal_digest__in=some
        )
        found |= set(rows.values_list("normal_digest", flat=True))
    return frozenset(found)


def chunks(rows: list[str]) -> Iterator[list[str]]:
    """Lists short enough for one statement."""
    for at in range(0, len(rows), CHUNK):
        yield rows[at : at + CHUNK]
