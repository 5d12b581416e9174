"""Queries for base models, runs, sweeps, and points, limited to what the user may see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db.models import Max, Model, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.compute.price import MANY, price_of
from lifecycle.modeling.training.models import BaseModel, Estimate, MetricPoint, Run
from lifecycle.modeling.training.rules import FINISHED, Attempt, Repeat, RunState, Workers, compare_repeat
from lifecycle.runtime.task_types.by_key.measures import MEASURES
from lifecycle.runtime.task_types.by_key.types import learned_as
from lifecycle.ui.palette import Hit
from registry.ground.access import policy
from registry.ground.access.policy import Person
from registry.ground.ledger import accounts
from registry.ground.ledger.rules import SYSTEM
from registry.ground.ledger.verbs import Verb

M = TypeVar("M", bound=Model)
SAMPLE = 400
POINTS = 1_000  # points drawn per metric: as many as a chart has pixels
SPARK = 100  # points per sparkline, which is as many pixels wide
BEST = {
    each.name: "value" if each.lower_is_better else "-value"
    for found in MEASURES.values()
    for each in (found.metrics.trained, found.metrics.listed)
}  # orders the best point of a metric first
ACTIVE = (RunState.QUEUED, RunState.TRAINING, RunState.PAUSING, RunState.STOPPING)
UNFINISHED = (*ACTIVE, RunState.PAUSED)
WORKED = frozenset({Verb.RUN_LAUNCHED, Verb.RUN_RESUMED, Verb.RUN_OVERRIDDEN})
labels_of = snapshots.labels_of


def trained_task(snapshot: Snapshot) -> str:
    """The engine's name of what a run on this version trains: responses in chats are generated text."""
    return learned_as(snapshot.dataset.task).key


def trained_labels(snapshot: Snapshot) -> list[str]:
    """The labels that a run on this version trains; none for generation."""
    return [] if snapshot.dataset.task_type.writes_text else labels_of(snapshot)


def find(rows: QuerySet[M], uuid: str) -> M | None:
    """The row with the uuid in a URL parameter; None if there is none."""
    try:
        return rows.filter(uuid=UUID(uuid)).first()
    except ValueError:
        return None


def bases(user: Person) -> QuerySet[BaseModel]:
    """The base models that the user may see, newest first."""
    return (
        policy.visible_to(user, BaseModel, "training.view")
        .select_related("project", "folder", "added_by", "run__snapshot__dataset")
        .order_by("-id")
    )


def find_waiting_base(user: Person, uuid: str) -> BaseModel | None:
    """A base without files, from a URL parameter; None if there is none."""
    return find(bases(user).filter(folder__isnull=True), uuid)


def runs(user: Person) -> QuerySet[Run]:
    """The runs that the user may see, newest first."""
    related = (
        "project",
        "snapshot__dataset",
        "base__folder",
        "base__run__snapshot__dataset",
        "launched_by",
        "artifact",
        "job",
        "reproduces__artifact",
        "sweep",
    )
    return policy.visible_to(user, Run, "training.view").select_related(*related).order_by("-id")


def get_run(user: Person, uuid: UUID) -> Run:
    """One run that the user may see. Raises Http404."""
    return policy.get_visible(user, runs(user), "training.view", uuid=uuid)


def find_run(user: Person, uuid: str) -> Run | None:
    """A visible run from a URL parameter; None if there is none."""
    return find(runs(user), uuid)


def estimates(user: Person) -> QuerySet[Estimate]:
    """The dry runs that the user may see, newest first."""
    related = ("project", "snapshot__dataset", "base", "job", "asked_by")
    return policy.visible_to(user, Estimate, "training.view").select_related(*related).order_by("-id")


def get_estimate(user: Person, uuid: UUID) -> Estimate:
    """One that the user may see. Raises Http404."""
    return policy.get_visible(user, estimates(user), "training.view", uuid=uuid)


def estimate_of(run: Run) -> Estimate | None:
    """The newest measured dry run of a run's spec and data; None if there is none."""
    known = Estimate.objects.filter(
        snapshot=run.snapshot_id, spec_digest=run.spec_digest, figures__isnull=False
    )
    return known.order_by("-id").first()


def find_like(user: Person, uuid: str) -> Run | Estimate | None:
    """The run or dry run to copy settings from, from a URL parameter; None if there is none."""
    return find_run(user, uuid) or find(estimates(user), uuid)


def running_count(user: Person) -> int:
    """The number of queued or running runs, up to 100."""
    return policy.visible_to(user, Run, "training.view").filter(state__in=ACTIVE).order_by()[:100].count()


def search_runs(user: Person, text: str) -> list[Hit]:
    """Runs by number or note, for the command palette."""
    digits = "".join(letter for letter in text if letter.isascii() and letter.isdigit())[:9]
    wanted = Q(note__icontains=text) | Q(snapshot__dataset__name__icontains=text)
    if digits:
        wanted |= Q(number=int(digits))
    return [Hit(str(run), f"/runs/{run.uuid}/", str(run.snapshot)) for run in runs(user).filter(wanted)[:8]]


def launchable(user: Person) -> QuerySet[Snapshot]:
    """The snapshots that the user may train on, newest first."""
    return (
        policy.visible_to(user, Snapshot, "training.launch")
        .select_related("dataset__project", "schema")
        .order_by("-id")
    )


def lineage(run: Run) -> set[UUID]:
    """The run and its ancestors, by uuid: runs whose weights it started from or whose settings it
    reproduces.
    """
    found: set[UUID] = set()
    keys: set[int] = {run.pk}
    while keys:
        rows = list(
            Run.objects.filter(pk__in=keys)
            .exclude(uuid__in=found)
            .values_list("uuid", "base__run", "reproduces")
        )
        found |= {uuid for uuid, *_ in rows}
        keys = {key for _, *before in rows for key in before if key}
    return found


def workers_of(run: Run) -> Workers:
    """Everyone who contributed to a run or its ancestors, from the events of these runs."""
    runs = lineage(run)
    trained = set(
        Run.objects.filter(uuid__in=runs, launched_by__isnull=False).values_list(
            "launched_by__uuid", flat=True
        )
    )
    behind: set[UUID] = set()
    overrode: set[UUID] = set()
    for events in accounts.events_of([str(each) for each in runs], WORKED).values():
        for event in events:
            if event.actor != SYSTEM:
                (overrode if event.verb == Verb.RUN_OVERRIDDEN else trained).add(UUID(event.actor))
            behind |= {UUID(each) for each in event.payload.get("behind", ())}
    return Workers(frozenset(trained), frozenset(behind), frozenset(overrode))


# ── Curves ──────────────────────────────────────────────────────────────────
def curves(run: Run, names: Iterable[str]) -> dict[str, list[tuple[int, float]]]:
    """Points by metric in step order; metrics with more than 1,000 are evenly thinned, keeping the last and
    the best points.

    Up to 1,000 points in total are read directly, since building the thinning query takes longer than running
    it.
    """
    names = list(names)
    few = list(
        MetricPoint.objects.filter(run=run, name__in=names).values_list("name", "step", "value")[: POINTS + 1]
    )
    if len(few) <= POINTS:
        return by_name(sorted(few, key=lambda point: point[1]))
    wanted = Q()
    for name in names:
        wanted |= thinned(run, name)
    return by_name(MetricPoint.objects.filter(wanted).order_by("step").values_list("name", "step", "value"))


def curves_of(runs: Iterable[Run], name: str, most: int | None = None) -> dict[int, list[tuple[int, float]]]:
    """One metric's points of several runs, thinned as in `curves`, by the run's key. most: instead of
    1,000.
    """
    wanted = Q(pk__in=[])
    for run in runs:
        wanted |= thinned(run, name, most)
    found: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for key, step, value in (
        MetricPoint.objects.filter(wanted).order_by("step").values_list("run_id", "step", "value")
    ):
        found[key].append((step, value))
    return dict(found)


def thinned(run: Run, name: str, most: int | None = None) -> Q:
    """The condition for a metric's drawn points: all of them, or those with the largest strides, between half
    of `most` and `most`.

    most: by default 1,000.
    """
    most = most or POINTS
    points = MetricPoint.objects.filter(run=run, name=name)
    beyond = points.order_by("-stride").values("stride")[most : most + 1]
    kept = Q(run=run, name=name, stride__gt=Coalesce(Subquery(beyond), Value(0)))
    kept |= Q(pk=Subquery(points.order_by("-step").values("pk")[:1]))
    if name in BEST:
        kept |= Q(pk=Subquery(points.order_by(BEST[name], "step").values("pk")[:1]))
    return kept | Q(run=run, name=name, step=run.best_step) if run.best_step is not None else kept


def new_points(run: Run, names: Iterable[str], after: int) -> dict[str, list[tuple[int, float]]]:
    """The next points by metric after this step: at most 1,000 in total, for whole steps."""
    rows = MetricPoint.objects.filter(run=run, name__in=list(names), step__gt=after).order_by("step")
    found = list(rows.values_list("name", "step", "value")[:POINTS])
    return by_name(found if len(found) < POINTS else [row for row in found if row[1] != found[-1][1]])


def by_name(points: Iterable[tuple[str, int, float]]) -> dict[str, list[tuple[int, float]]]:
    """(step, value) by metric, in the given order."""
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for name, step, value in points:
        found[name].append((step, value))
    return dict(found)


def validation_losses(runs: Iterable[Run]) -> dict[int, list[float]]:
    """The validation losses of several runs in step order, thinned for a sparkline, by the run's key, in one
    query for a page.
    """
    return {
        key: [value for _, value in points]
        for key, points in curves_of(runs, "validation_loss", SPARK).items()
    }


# ── Cost ────────────────────────────────────────────────────────────────────
def cost_of(run: Run) -> dict[str, Any] | None:
    """The cost of a run over all attempts: seconds, cpu_seconds, peak_memory_mb, peak_gpu_memory_mb (null on
    a CPU), stages; price in currency at PRICE_PER_CORE_HOUR, null without one; inference: by graph, the
    projected cost of a million predictions. None before its end, or if nothing was
    measured.
    """
    result = run.result or {}
    if result.get("cpu_seconds") is None or run.state not in FINISHED:
        return None
    return {
        name: result.get(name)
        for name in ("seconds", "cpu_seconds", "peak_memory_mb", "peak_gpu_memory_mb", "stages")
    } | {
        "price": price_of(result["cpu_seconds"]),
        "currency": settings.CURRENCY,
        "inference": {
            graph: {
                "rows": pace["rows"],
                "cpu_seconds": (taken := pace["cpu_seconds"] / pace["rows"] * MANY),
                "price": price_of(taken),
            }
            for graph, pace in (result.get("inference") or {}).items()
        },
    }


def peak_memory_mb(run: Run) -> float | None:
    """The peak memory of the run, else of the run it reproduces; None if neither was measured."""
    points = MetricPoint.objects.filter(run=run, name="memory_mb").aggregate(peak=Max("value"))["peak"]
    known: float | None = run.result.get("peak_memory_mb") or points
    return known or (peak_memory_mb(run.reproduces) if run.reproduces else None)


# ── Reproductions ───────────────────────────────────────────────────────────
def repeat_of(run: Run) -> Repeat | None:
    """The comparison of a reproduction with its original; None until it has succeeded, and for other runs."""
    if run.reproduces is None or run.state != RunState.SUCCEEDED:
        return None
    return compare_repeat(attempt_of(run.reproduces), attempt_of(run))


def attempt_of(run: Run) -> Attempt:
    """The results of a run that succeeded, and the machine it ran on."""
    result = run.result
    weights = (
        {each["name"]: each["sha256"] for each in run.artifact.files if each["name"].endswith(".safetensors")}
        if run.artifact
        else {}
    )
    return Attempt(
        weights,
        {
            **result["environment"],
            "code": run.code_version,
            "precision": result["precision"],
            "rows": result["batch"]["batch_size"],
        },
    )


def repeats(run: Run) -> list[Run]:
    """The newest reproductions of this run."""
    return list(run.repeats.select_related("artifact", "reproduces__artifact").order_by("-id")[:5])
