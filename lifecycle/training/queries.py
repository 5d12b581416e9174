"""Reading base models, runs, sweeps and points: always from what the person may see."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.db.models import Max, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from datasets_app.datasets.models import Dataset
from datasets_app.labeling.queries import present_ids
from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Snapshot
from lifecycle.engine import defaults, leading, text_defaults
from lifecycle.engine.calibration import THRESHOLD_ROWS
from lifecycle.engine.spec import RANKED
from lifecycle.training.models import BaseModel, Estimate, MetricPoint, Run
from lifecycle.training.rules import FINISHED, Attempt, Repeat, RunState, compare_repeat
from lifecycle.ui.palette import Hit
from registry.access import policy
from registry.access.models import User
from registry.access.policy import Person
from registry.ledger.models import Event
from registry.ledger.verbs import Verb

SAMPLE = 400
POINTS = 1_000  # of one metric that are drawn: as many as a chart has pixels
BEST = {
    each.name: "value" if each.lower_is_better else "-value" for each in (*leading.LEADING.values(), *leading.IN_LISTS.values())
}  # the order in which the best point of a metric comes first
ACTIVE = (RunState.QUEUED, RunState.TRAINING, RunState.PAUSING, RunState.STOPPING)
UNFINISHED = (*ACTIVE, RunState.PAUSED)
OF_LABELS = ("class_weights", "label_smoothing", "focal_gamma")  # settings that mean nothing without labels
labels_of = snapshots.labels_of


def learnt_task(snapshot: Snapshot) -> str:
    """What a run on this snapshot learns, as the engine calls it: the answers of a dialogue are texts that are written."""
    return str(Dataset.Task.FREE_TEXT if snapshot.dataset.task in snapshots.WRITTEN_TASKS else snapshot.dataset.task)


def writes(snapshot: Snapshot) -> bool:
    """Whether a run on this snapshot learns to write texts."""
    return learnt_task(snapshot) == Dataset.Task.FREE_TEXT


def ranks(snapshot: Snapshot) -> bool:
    """Whether a run on this snapshot learns to put responses in order."""
    return learnt_task(snapshot) in RANKED


def learnt_labels(snapshot: Snapshot) -> list[str]:
    """The labels that a run on this snapshot learns; none where texts are written."""
    return [] if writes(snapshot) else labels_of(snapshot)


def bases(user: Person) -> QuerySet[BaseModel]:
    """The base models that the user may see, newest first."""
    return (
        policy.visible_to(user, BaseModel, "training.view")
        .select_related("project", "folder", "added_by", "run__snapshot__dataset")
        .order_by("-id")
    )


def find_waiting_base(user: Person, uuid: str) -> BaseModel | None:
    """A base whose files are not there yet, by what stands in an address; None where there is none."""
    try:
        return bases(user).filter(uuid=UUID(uuid), folder__isnull=True).first()
    except ValueError:
        return None


def runs(user: Person) -> QuerySet[Run]:
    """The runs that the user may see, newest first."""
    related = (
        "project", "snapshot__dataset", "base__folder", "base__run__snapshot__dataset", "launched_by", "artifact", "job",
        "reproduces__artifact", "sweep",
    )  # fmt: skip
    return policy.visible_to(user, Run, "training.view").select_related(*related).order_by("-id")


def get_run(user: Person, uuid: UUID) -> Run:
    """One run that the user may see. Raises Http404."""
    return policy.get_visible(user, runs(user), "training.view", uuid=uuid)


def find_run(user: Person, uuid: str) -> Run | None:
    """One run that the user may see, by what stands in an address; None where there is none."""
    try:
        return runs(user).filter(uuid=UUID(uuid)).first()
    except ValueError:
        return None


def estimates(user: Person) -> QuerySet[Estimate]:
    """The tries of ten steps that the user may see, newest first."""
    related = ("project", "snapshot__dataset", "base", "job", "asked_by")
    return policy.visible_to(user, Estimate, "training.view").select_related(*related).order_by("-id")


def get_estimate(user: Person, uuid: UUID) -> Estimate:
    """One that the user may see. Raises Http404."""
    return policy.get_visible(user, estimates(user), "training.view", uuid=uuid)


def estimate_of(run: Run) -> Estimate | None:
    """The newest ten steps of a run's own spec and data that were measured; None where none were."""
    known = Estimate.objects.filter(snapshot=run.snapshot_id, spec_digest=run.spec_digest, figures__isnull=False)
    return known.order_by("-id").first()


def find_like(user: Person, uuid: str) -> Run | Estimate | None:
    """What a launch takes its settings from, by what stands in an address: a run, or ten steps that were tried; None for neither."""
    run = find_run(user, uuid)
    if run is not None:
        return run
    try:
        return estimates(user).filter(uuid=UUID(uuid)).first()
    except ValueError:
        return None


def running_count(user: Person) -> int:
    """How many runs wait or run, counted up to 100."""
    return policy.visible_to(user, Run, "training.view").filter(state__in=ACTIVE).order_by()[:100].count()


def search_runs(user: Person, text: str) -> list[Hit]:
    """Runs by number or note, for the palette."""
    digits = "".join(letter for letter in text if letter.isascii() and letter.isdigit())[:9]
    wanted = Q(note__icontains=text) | Q(snapshot__dataset__name__icontains=text)
    if digits:
        wanted |= Q(number=int(digits))
    return [Hit(str(run), f"/runs/{run.uuid}/", str(run.snapshot)) for run in runs(user).filter(wanted)[:8]]


def launchable(user: Person) -> QuerySet[Snapshot]:
    """The snapshots that the user may train on, newest first."""
    return policy.visible_to(user, Snapshot, "training.launch").select_related("dataset__project", "schema").order_by("-id")


def trainers_of(run: Run) -> set[UUID]:
    """Everyone who launched or resumed a run, by uuid: they cannot approve what came of it."""
    events = Event.objects.filter(
        object_type=run._meta.label_lower, object_id=str(run.uuid), verb__in=[Verb.RUN_LAUNCHED, Verb.RUN_RESUMED]
    )
    people = {actor for actor in events.values_list("actor", flat=True) if actor != "system"}
    if run.launched_by is not None:
        people.add(str(run.launched_by.uuid))
    return {UUID(person) for person in people}


def trainers(run: Run) -> QuerySet[User]:
    """The people of `trainers_of`."""
    return User.objects.filter(uuid__in=trainers_of(run)).order_by("pk")


# ── Curves ──────────────────────────────────────────────────────────────────
def curves(run: Run, names: Iterable[str]) -> dict[str, list[tuple[int, float]]]:
    """Points by metric in order of step; of a metric with more than 1,000 an even thinning, with its last one and those that were best."""
    wanted = Q()
    for name in names:
        wanted |= thinned(run, name)
    return by_name(MetricPoint.objects.filter(wanted).order_by("step").values_list("name", "step", "value"))


def curves_of(runs: Iterable[Run], name: str) -> dict[int, list[tuple[int, float]]]:
    """One metric's points of several runs, as `curves` thins them, by the run's key."""
    wanted = Q(pk__in=[])
    for run in runs:
        wanted |= thinned(run, name)
    found: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for key, step, value in MetricPoint.objects.filter(wanted).order_by("step").values_list("run_id", "step", "value"):
        found[key].append((step, value))
    return dict(found)


def thinned(run: Run, name: str) -> Q:
    """The condition of a metric's points that are drawn: all of them, or those of the largest strides, which are 500 to 1,000."""
    points = MetricPoint.objects.filter(run=run, name=name)
    beyond = points.order_by("-stride").values("stride")[POINTS : POINTS + 1]
    kept = Q(run=run, name=name, stride__gt=Coalesce(Subquery(beyond), Value(0)))
    kept |= Q(pk=Subquery(points.order_by("-step").values("pk")[:1]))
    if name in BEST:
        kept |= Q(pk=Subquery(points.order_by(BEST[name], "step").values("pk")[:1]))
    return kept | Q(run=run, name=name, step=run.best_step) if run.best_step is not None else kept


def new_points(run: Run, names: Iterable[str], after: int) -> dict[str, list[tuple[int, float]]]:
    """The next points by metric behind this step: at most 1,000 in all, of whole steps."""
    rows = MetricPoint.objects.filter(run=run, name__in=list(names), step__gt=after).order_by("step")
    found = list(rows.values_list("name", "step", "value")[:POINTS])
    return by_name(found if len(found) < POINTS else [row for row in found if row[1] != found[-1][1]])


def by_name(points: Iterable[tuple[str, int, float]]) -> dict[str, list[tuple[int, float]]]:
    """(step, value) by metric, as they come."""
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for name, step, value in points:
        found[name].append((step, value))
    return dict(found)


def validation_losses(runs: Iterable[Run]) -> dict[int, list[float]]:
    """The validation losses of several runs in order of step, by the run's key: one statement for a whole page."""
    rows = MetricPoint.objects.filter(run__in=list(runs), name="validation_loss").order_by("step").values_list("run_id", "value")
    found: dict[int, list[float]] = defaultdict(list)
    for key, value in rows:
        found[key].append(value)
    return found


# ── What it cost ────────────────────────────────────────────────────────────
def cost_of(run: Run) -> dict[str, Any] | None:
    """What the engine measured of a run over all its attempts: seconds, cpu_seconds, peak_memory_mb, peak_gpu_memory_mb (null on a CPU),
    stages; price in currency at
    PRICE_PER_CORE_HOUR, null without one; inference: by graph, what 1,000 answers are projected to take. None before its end, and of runs
    that were trained before this was measured."""
    result = run.result or {}
    if result.get("cpu_seconds") is None or run.state not in FINISHED:
        return None
    return {name: result.get(name) for name in ("seconds", "cpu_seconds", "peak_memory_mb", "peak_gpu_memory_mb", "stages")} | {
        "price": price_of(result["cpu_seconds"]),
        "currency": settings.CURRENCY,
        "inference": {
            graph: {"rows": pace["rows"], "cpu_seconds": (taken := pace["cpu_seconds"] / pace["rows"] * 1000), "price": price_of(taken)}
            for graph, pace in (result.get("inference") or {}).items()
        },
    }


def price_of(cpu_seconds: float) -> float | None:
    """At PRICE_PER_CORE_HOUR; None where the installation has none."""
    return None if settings.PRICE_PER_CORE_HOUR is None else cpu_seconds / 3600 * settings.PRICE_PER_CORE_HOUR


def peak_memory_mb(run: Run) -> float | None:
    """The most memory that the run is known to have held, or else the run that it repeats; None where neither was measured."""
    points = MetricPoint.objects.filter(run=run, name="memory_mb").aggregate(peak=Max("value"))["peak"]
    known: float | None = run.result.get("peak_memory_mb") or points
    return known or (peak_memory_mb(run.reproduces) if run.reproduces else None)


# ── Run again ───────────────────────────────────────────────────────────────
def repeat_of(run: Run) -> Repeat | None:
    """How a run that repeats another one came out beside it; None while it has not succeeded, and of all others."""
    if run.reproduces is None or run.state != RunState.SUCCEEDED:
        return None
    return compare_repeat(attempt_of(run.reproduces), attempt_of(run))


def attempt_of(run: Run) -> Attempt:
    """What a run that has succeeded left, and what its machine brought to it."""
    environment = {"device": "cpu"} | (run.result.get("environment") or {})  # of runs from before devices were told
    rows = (run.result.get("batch") or run.spec)["batch_size"]
    weights = {each["name"]: each["sha256"] for each in run.artifact.files if each["name"].endswith(".safetensors")} if run.artifact else {}
    return Attempt(weights, {**environment, "code": run.code_version, "precision": run.result.get("precision"), "rows": rows})


def repeats(run: Run) -> list[Run]:
    """The newest runs that repeat this one."""
    return list(run.repeats.select_related("artifact", "reproduces__artifact").order_by("-id")[:5])


# ── What fits this data ─────────────────────────────────────────────────────
def text_lengths(snapshot: Snapshot) -> tuple[float, float]:
    """Median and 99th percentile of characters in the first rows of the train split, whose order is that of digests, so a fair sample."""
    key = f"training:lengths:{snapshot.uuid}"
    known: tuple[float, float] | None = cache.get(key)
    if known is None:
        rows = islice(snapshots.with_items(snapshot, snapshots.rows_of(snapshot, "train")), SAMPLE)
        lengths = sorted(len(item.text) for _, item in rows) or [1]
        known = (float(statistics.median(lengths)), float(lengths[min(len(lengths) - 1, int(len(lengths) * 0.99))]))
        cache.set(key, known, 3600)
    return known


def written_lengths(snapshot: Snapshot) -> tuple[float, float, float]:
    """Of the first rows of the train split, in characters: the median and the 99th percentile of prompt and answer together, and the 99th
    percentile of answers."""
    key = f"training:written:{snapshot.uuid}"
    known: tuple[float, float, float] | None = cache.get(key)
    if known is None:
        rows = islice(snapshots.told_rows(snapshot, "train"), SAMPLE)
        pairs = [(len(row["text"]), len(row["answer"])) for row in rows if "left_out" not in row] or [(1, 1)]
        whole, said = sorted(map(sum, pairs)), sorted(answer for _, answer in pairs)
        at = min(len(pairs) - 1, int(len(pairs) * 0.99))
        known = (float(statistics.median(whole)), float(whole[at]), float(said[at]))
        cache.set(key, known, 3600)
    return known


def ranked_lengths(snapshot: Snapshot) -> tuple[float, float, float]:
    """As `text_lengths`, of prompt and response together; and responses of a row on the average."""
    key = f"training:ranked:{snapshot.uuid}"
    known: tuple[float, float, float] | None = cache.get(key)
    if known is None:
        rows = list(islice(snapshots.ranked_rows(snapshot, "train"), SAMPLE))
        lengths = sorted(len(row["text"]) + len(each) for row in rows for each in row["responses"]) or [1]
        known = (
            float(statistics.median(lengths)), float(lengths[min(len(lengths) - 1, int(len(lengths) * 0.99))]),
            len(lengths) / max(1, len(rows)),
        )  # fmt: skip
        cache.set(key, known, 3600)
    return known


def unlearnable(snapshot: Snapshot) -> tuple[int, str] | None:
    """How many training dialogues were looked at and what is the matter with the first, where nothing is learnt from any of the first
    ones; None where something is, or where there are none."""
    rows = list(islice(snapshots.told_rows(snapshot, "train"), SAMPLE))
    return (len(rows), rows[0]["left_out"]) if rows and all("left_out" in row for row in rows) else None


def measured_rate(base: BaseModel, strategy: str, *, ranked: bool = False) -> tuple[float, str] | None:
    """Examples a second of the newest finished run on this base, and its strategy: the same one where there is one, else another's.
    ranked: of runs that put responses in order, of which an example is several texts; else of the others.

    Another's rate is scaled by the ratio of the two that the engine knows. Head only is not comparable: its encoder runs once.
    """
    runs = Run.objects.filter(base=base, state=RunState.SUCCEEDED).exclude(strategy="head").order_by("-id")
    runs = runs.filter(snapshot__dataset__task__in=RANKED) if ranked else runs.exclude(snapshot__dataset__task__in=RANKED)
    run = runs.filter(strategy=strategy).first() or runs.first()
    values = [value for _, value in curves(run, ["examples_per_second"]).get("examples_per_second", [])] if run else []
    if run is None or not values:
        return None
    relative = {name: 1 / cost for name, cost in text_defaults.COST.items()} if run.writes else defaults.RATES
    if not {strategy, run.strategy} <= relative.keys():
        return None
    return statistics.median(values) * relative[strategy] / relative[run.strategy], run.strategy


def strategy_settings(run: Run) -> dict[str, Any]:
    """The settings of a run's strategy itself, as a launch takes them."""
    inner = run.spec["strategy"]
    names = text_defaults.settings_of(run.strategy) if run.writes else defaults.settings_of(run.strategy)
    return {name: inner[name] for name in names if inner.get(name) is not None}


def followed(spec: Mapping[str, Any], learnt_from: Snapshot, snapshot: Snapshot) -> dict[str, Any]:
    """The settings of a spec's class with a threshold, on another snapshot: the class by its stable id, through new names and merges.

    Empty where the spec has none; without a threshold where the snapshot has no such class any more, or too few validation rows of it to
    choose one. Of another dataset by its name.
    """
    chosen = spec.get("operating_class")
    if not chosen:
        return {}
    name = chosen
    if learnt_from.dataset_id == snapshot.dataset_id:
        stable = dict(learnt_from.schema.labels.values_list("name", "stable_id")).get(chosen)
        names = dict(snapshot.schema.labels.values_list("stable_id", "name"))
        merged = present_ids(snapshot.dataset_id).get(stable) if stable and stable not in names else stable
        name = names.get(merged, "") if merged else ""
    rows = snapshot.counts["labels"].get(name, {}).get("validation", 0)
    is_there = name in learnt_labels(snapshot) and rows >= THRESHOLD_ROWS
    return {"operating_class": name} if is_there else {"operating_class": "", "operating_point": "f1"}


def suggestion(snapshot: Snapshot, base: BaseModel | None, strategy: str) -> defaults.Suggestion:
    """The engine's settings for this data, each with its reason, and about how long they take."""
    known = measured_rate(base, strategy, ranked=ranks(snapshot)) if base and strategy != "head" else None
    found = fresh_suggestion(snapshot, base, strategy, known)
    return found if base is None else continued(found, snapshot, base)


def fresh_suggestion(snapshot: Snapshot, base: BaseModel | None, strategy: str, known: tuple[float, str] | None) -> defaults.Suggestion:
    """As for a base that has seen none of this data. known: of `measured_rate`."""
    splits, by_label = snapshot.counts["splits"], snapshot.counts["labels"]
    if writes(snapshot):
        middle, longest, answers = map(text_defaults.tokens, written_lengths(snapshot))
        return text_defaults.suggest(
            rows=max(1, splits.get("train", 0)), median_tokens=middle, long_tokens=longest, long_answer=answers, strategy=strategy,
            parameters=(base.facts.get("parameters") or 0) if base else 0, validation_rows=splits.get("validation", 0),
            measured_rate=known[0] if known else None,
        )  # fmt: skip
    median, long, responses = ranked_lengths(snapshot) if ranks(snapshot) else (*text_lengths(snapshot), 1.0)
    found = defaults.suggest(
        rows=max(1, splits.get("train", 0)),
        classes=max(1, len(by_label)),
        median_tokens=defaults.tokens_from_characters(median),
        long_tokens=defaults.tokens_from_characters(long),
        strategy=strategy,
        class_counts=[counts.get("train", 0) for counts in by_label.values()],
        validation_rows=splits.get("validation", 0),
        measured_rate=known[0] if known else None,
        layers=(base.facts.get("layers") or 0) if base else 0,
        several=snapshot.dataset.task == Dataset.Task.MULTI_LABEL,
        one_of=learnt_labels(snapshot) if snapshot.dataset.task == Dataset.Task.SINGLE_LABEL else (),
    )
    if ranks(snapshot):
        choices = {name: choice for name, choice in found.choices.items() if name not in OF_LABELS}
        found = replace(found, choices=choices, seconds=found.seconds * (1.0 if known else responses))  # each is read with its prompt
    if snapshot.dataset.task == Dataset.Task.SPANS:  # every token is read by itself: there is nothing to pool
        found = replace(found, choices={name: choice for name, choice in found.choices.items() if name != "pooling"})
    if known and known[1] != strategy:
        reason = f"Scaled from an earlier {Run.Strategy(known[1]).label} run on this machine."
        found = replace(found, seconds_reason=reason)
    return found


def continued(found: defaults.Suggestion, snapshot: Snapshot, base: BaseModel) -> defaults.Suggestion:
    """With what more there is to choose where the base is a run's model of the same task."""
    if base.run is None or base.run.task != learnt_task(snapshot):
        return found
    before = base.run.spec
    more = defaults.continuing(
        str(base.run), before["pooling"], learnt_labels(snapshot), set(before["labels"]), found.choices, ranks=base.run.ranks
    )
    return replace(found, choices=found.choices | more)
