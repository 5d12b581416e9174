"""What the pages of this room show: rows, figures, threads and the reasons why a button cannot be pressed now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, cast
from uuid import UUID, uuid4

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from rest_framework.request import Request

from datasets_app.datasets.models import Dataset
from lifecycle.engine import leading
from lifecycle.engine.leading import Leading
from lifecycle.engine.spec import MERGED
from lifecycle.refusals import Conflict
from lifecycle.training import charts, forgetting_page, manifest, ports, queries
from lifecycle.training.models import Diagnosis, Run
from lifecycle.training.rules import CONDITIONS, RunState
from lifecycle.ui.addresses import find_url
from lifecycle.ui.charts import Chart
from lifecycle.ui.marks import Figure, Step
from lifecycle.ui.numbers import count, decimals, duration, percent, signed, significant, size
from registry.access.models import User
from registry.access.policy import can, can_somewhere

PAGE = 30
UNTRAINABLE = (RunState.SUCCEEDED, RunState.PRUNED)
CHARTS = {"loss": ("train_loss", "validation_loss"), **{name: (name,) for name in charts.SMALL}}
DRAWN = ("macro_f1", "micro_f1", "accuracy", "subset_accuracy", "perplexity", *(name for names in CHARTS.values() for name in names))
BEST = {
    "single_label": {"macro_f1": "Macro-F1, best", "accuracy": "Accuracy, best"},
    "multi_label": {"macro_f1": "Macro-F1, best", "subset_accuracy": "Subset accuracy, best"},
    "spans": {"micro_f1": "Micro-F1 of spans, best", "macro_f1": "Macro-F1 of spans"},
    "free_text": {"perplexity": "Perplexity, best"},
}  # the first is what runs are known by
STAGES = {"prepare": "Preparing", "train": "Training", "artifact": "Artifact and its gate"}
SEVERITY = {"info": "info", "watch": "warn", "bad": "bad"}


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run as the list shows it. score: of `leading` on validation, None before it was measured."""

    run: Run
    losses: list[float]
    leading: Leading

    @property
    def score(self) -> float | None:
        """What it is known by."""
        return self.run.metrics.get(self.leading.name)


def person(request: HttpRequest | Request) -> User:
    """Who asks. Every view of this room is for people who are signed in, which its decorator has checked."""
    return cast(User, request.user)


def listing(user: User, given: Mapping[str, str]) -> dict[str, Any]:
    """Runs but for trials of sweeps, newest first, by keyset; a constant number of statements."""
    before = given.get("before", "")
    rows = queries.runs(user).filter(sweep__isnull=True)
    if before.isascii() and before.isdigit() and len(before) < 19:
        rows = rows.filter(id__lt=int(before))
    found = list(rows[: PAGE + 1])
    losses = queries.validation_losses(found[:PAGE])
    lines = [RunLine(run, losses.get(run.pk, []), leading.of_lists(run.task)) for run in found[:PAGE]]
    older = f"?before={found[PAGE - 1].pk}" if len(found) > PAGE else ""
    return {
        "lines": lines,
        "only_trials": not (lines or before) and queries.runs(user).exists(),
        "tabs": tabs("training:list"),
        "pager": {"previous": "?" if before else "", "next": older, "about": None},
        "may_launch": can_somewhere(user, "training.launch"),
        "compare_url": find_url("evaluation:compare"),
    }


def tabs(current: str) -> list[dict[str, Any]]:
    """The two lists: runs that stand alone, and sweeps."""
    views = {"training:list": "Runs", "training:sweeps": "Sweeps"}
    return [{"label": label, "url": reverse(name), "current": name == current} for name, label in views.items()]


# ── One run ─────────────────────────────────────────────────────────────────
def detail(user: User, uuid: UUID) -> dict[str, Any]:
    """Everything on a run's page."""
    run = queries.get_run(user, uuid)
    curves = queries.curves(run, DRAWN)
    findings = list(run.diagnoses.order_by("-updated_at", "id"))
    return live_part(user, run, curves, findings) | {
        "may_read": can(user, "datasets.read_samples", run.snapshot.dataset),
        "charts": drawings(run, curves, findings),
        "provenance": provenance(run),
        "cost": costs(run),
        "repeats": [repeat_line(each) for each in ([run] if run.reproduces else []) + queries.repeats(run)],
        "forgetting": forgetting_page.shown(run),
        "train_on": train_on(user, run),
        "reproduce_key": uuid4() if run.state == RunState.SUCCEEDED and can(user, "training.launch", run) else None,
        "has_manifest": bool(settings.TRAINING_IMAGE) and run.state not in UNTRAINABLE and can(user, "training.launch", run),
        "evaluation_url": find_url("evaluation:of_run", uuid=run.uuid) if run.state == RunState.SUCCEEDED else "",
        "compare_url": find_url("evaluation:compare") if run.state == RunState.SUCCEEDED else "",
    }


def train_on(user: User, run: Run) -> dict[str, str] | None:
    """Whether another run can start from its model, with why not; None where the person may not, or there is none."""
    if run.state != RunState.SUCCEEDED or not can(user, "training.launch", run):
        return None
    if run.spec["strategy"]["kind"] in MERGED:
        return {"refused": ""}
    return {"refused": f"What {run.get_strategy_display()} learns stands beside the base's weights, so no run starts from it."}


def live(user: User, uuid: UUID) -> dict[str, Any]:
    """The parts of a run's page that change while it runs."""
    run = queries.get_run(user, uuid)
    wanted = ("validation_loss", "memory_mb", *BEST[run.task])
    return live_part(user, run, queries.curves(run, wanted), list(run.diagnoses.order_by("-updated_at", "id")))


def live_part(user: User, run: Run, curves: Mapping[str, charts.Curve], findings: list[Diagnosis]) -> dict[str, Any]:
    """State, progress, figures, findings, log and what may be done."""
    active = run.state in queries.ACTIVE
    job = run.job
    return {
        "run": run,
        "active": active,
        "job": job,
        "thread": thread(run),
        "eta": job.eta if job and run.state == RunState.TRAINING else None,
        "epoch": epoch(run),
        "figures": figures(run, curves),
        "acts": acts(user, run),
        "findings": [{"kind": SEVERITY.get(each.severity, ""), "row": each} for each in findings],
        "log": list(run.log.order_by("-seq")[:8]),
        "kept": kept_step(run, curves),
    }


def epoch(run: Run) -> str:
    """Where in its epochs a run is: epoch 6 of 8."""
    total = run.spec["epochs"]
    if not run.total_steps or not run.step:
        return ""
    return f"epoch {min(total, int(run.step * total / run.total_steps - 1e-9) + 1)} of {total}"


def kept_step(run: Run, curves: Mapping[str, charts.Curve]) -> tuple[int, float] | None:
    """The step with the best leading score so far, which a stop keeps."""
    by = leading.of_training(run.task)
    sign = 1 if by.lower_is_better else -1
    return min(curves.get(by.name, []), key=lambda point: (sign * point[1], point[0]), default=None)


def acts(user: User, run: Run) -> dict[str, str]:
    """Why each button cannot be pressed now; an empty text where it can."""
    may_pause, may_stop, may_launch = (can(user, f"training.{name}", run) for name in ("pause", "stop", "launch"))
    role = "Only an ML engineer or an ML lead can do this"
    ended = f"The run has {'ended' if run.state == RunState.SUCCEEDED else run.get_state_display().lower()}"
    going = f"It is {run.get_state_display().lower()}"
    pause = "" if run.state in (RunState.QUEUED, RunState.TRAINING) else going if run.state in queries.UNFINISHED else ended
    stop = going if run.state == RunState.STOPPING else "" if run.state in queries.UNFINISHED else ended
    resume = (
        ""
        if run.state in (RunState.PAUSED, RunState.STOPPED, RunState.FAILED)
        else "Only a run that was paused, stopped or failed can resume"
    )
    register = "" if run.state == RunState.SUCCEEDED else "Available when the run has succeeded"
    url = find_url("catalog:register_run", uuid=run.uuid)
    if not url and not register:
        register = "The registry is not installed"
    return {
        "pause": pause or ("" if may_pause else role),
        "stop": stop or ("" if may_stop else role),
        "resume": resume or ("" if may_launch else role),
        "register": register or ("" if may_launch else role),
        "register_url": url,
    }


def figures(run: Run, curves: Mapping[str, charts.Curve]) -> list[Figure]:
    """The strip: best values, each with its reference where there is one."""
    kept = run.best_step if run.best_step is not None else (kept_step(run, curves) or (None,))[0]
    at_kept = {name: dict(curve).get(kept) for name, curve in curves.items()} if kept is not None else {}
    best = BEST[run.task]
    shown = {name: run.metrics.get(name, at_kept.get(name)) for name in best}
    reference = ports.reference(run)
    losses = curves.get("validation_loss", [])
    result = run.result or {}
    trainable, total = result.get("trainable_parameters"), result.get("total_parameters")
    seconds = result.get("seconds") or (((run.finished_at or timezone.now()) - run.started_at).total_seconds() if run.started_at else None)
    strip = [compared(label, shown[name], name, reference) for name, label in best.items()]
    ece = run.metrics.get("ece")
    sure = Figure(
        "ECE", decimals(ece) if ece is not None else None, sub="calibrated on validation" if ece is not None else "with the model"
    )
    return [
        *strip,
        Figure("Validation loss", decimals(losses[-1][1]) if losses else None, sub=f"lowest {lowest(losses)}" if losses else ""),
        *([] if run.writes else [sure]),
        Figure(
            "Trainable",
            percent(trainable / total, 2) if trainable and total else None,
            sub=f"{count(trainable)} of {count(total)}" if trainable and total else "known at the end",
        ),
        Figure(
            "Time",
            duration(seconds) if seconds else None,
            sub=f"{size(int(result['peak_memory_mb'] * 2**20))} at most" if result.get("peak_memory_mb") else "",
        ),
    ]


def compared(label: str, value: float | None, name: str, reference: ports.Reference | None) -> Figure:
    """A value with its difference from the reference, where both are known."""
    known = reference.values.get(name) if reference else None
    if value is None or known is None or reference is None:
        return Figure(label, decimals(value) if value is not None else None, sub="on validation" if value is not None else "")
    difference = value - known
    return Figure(
        label, decimals(value), sub=f"on {reference.name}", change=signed(difference), good=None if not difference else difference > 0
    )


def lowest(losses: charts.Curve) -> str:
    """The lowest validation loss with its step."""
    step, value = min(losses, key=lambda point: point[1])
    return f"{decimals(value)} at step {count(step)}"


def thread(run: Run) -> list[Step]:
    """Dataset, snapshot, this run, and what rooms above made of it."""
    dataset = run.snapshot.dataset
    steps = [
        Step("Dataset", dataset.name, find_url("datasets:dataset", uuid=dataset.uuid)),
        Step("Snapshot", f"s{run.snapshot.number}", find_url("snapshots:detail", uuid=run.snapshot.uuid), digest=run.snapshot.digest),
        Step("Run", str(run.number), at="now"),
    ]
    return steps + (ports.later_steps(run) or [Step("Version", "not registered", at="next")])


def drawings(run: Run, curves: Mapping[str, charts.Curve], findings: list[Diagnosis]) -> dict[str, Any]:
    """The loss chart and the small multiples."""
    return {"loss": drawing(run, "loss", curves, findings), "small": [drawing(run, name, curves, findings) for name in charts.SMALL]}


def drawing(run: Run, chart: str, curves: Mapping[str, charts.Curve], findings: list[Diagnosis]) -> Chart:
    """One chart of a run as it stands now."""
    active, total = run.state in queries.ACTIVE, run.total_steps
    if chart in charts.SMALL:
        curve = curves.get(chart, [])
        return charts.small(chart, curve, total=total, live=active, updates=points_url(run, chart, curve))
    train, validation = curves.get("train_loss", []), curves.get("validation_loss", [])
    return charts.loss(
        train,
        validation,
        total=total,
        best_step=run.best_step,
        overfit_from=next((each.from_step for each in findings if each.code == "overfitting"), None),
        live=active,
        updates=points_url(run, "loss", train, validation),
    )


def points_url(run: Run, chart: str, *curves: charts.Curve) -> str:
    """Where a chart asks for points after the last ones it has."""
    last = max((curve[-1][0] for curve in curves if curve), default=-1)
    return f"{reverse('training:points', args=[run.uuid])}?chart={chart}&after={last}"


def new_points(run: Run, chart: str, after: int) -> Mapping[str, Any]:
    """Points of one chart after a step, and where to ask next while the run is on."""
    names = CHARTS[chart]
    found = queries.new_points(run, names, after)
    curves = [found.get(name, []) for name in names]
    last = max([after, *(curve[-1][0] for curve in curves if curve)])
    following = f"{reverse('training:points', args=[run.uuid])}?chart={chart}&after={last}" if run.state in queries.ACTIVE else None
    return charts.updates(curves, following)


def page_points(run: Run, chart: str, after: int) -> Mapping[str, Any]:
    """The new points, and where there are any the whole chart as it is with them: axes, labels and finding move with the curve."""
    found = new_points(run, chart, after)
    if not any(found["x"]):
        return found
    now = drawing(run, chart, queries.curves(run, CHARTS[chart]), list(run.diagnoses.order_by("-updated_at", "id")))
    return {**found, "chart": {"figure": now.json, "lead": now.lead, "caption": now.caption}}


def manifest_of(run: Run) -> str:
    """The run as a Kubernetes Job, in YAML. Raises Conflict (it has succeeded, no image is set, or its base has no files)."""
    if run.state in UNTRAINABLE:
        text = f"{run} has {'succeeded' if run.state == RunState.SUCCEEDED else 'been given up by its sweep'}: nothing is left to train."
        raise Conflict(text, next_step="Launch another run with its settings, and take that one's manifest.")
    if not settings.TRAINING_IMAGE:
        raise Conflict("No image is set for training on a cluster.", next_step="Have TRAINING_IMAGE name one.")
    if run.base.folder is None:
        raise Conflict(f"The files of {run.base} are not there.", next_step="Add it again under Base models.")
    place = manifest.Place(settings.TRAINING_IMAGE, settings.TRAINING_CLAIM, PurePosixPath(settings.DATA_DIR))
    uuid, peak, threads = str(run.uuid), queries.peak_memory_mb(run), run.spec.get("threads") or 0
    document = manifest.job(place, uuid=uuid, base_digest=run.base.folder.root_digest, threads=threads, peak_mb=peak)
    return manifest.written(document, run=str(run), uuid=uuid, peak_mb=peak)


def provenance(run: Run) -> list[dict[str, str]]:
    """What the run can be repeated from: label, digest, text."""
    spec, strategy = run.spec, run.spec["strategy"]
    code, _, digest = run.code_version.partition("+")
    splits = run.snapshot.counts["splits"]
    rows = [
        ("Snapshot", run.snapshot.digest, f"{count(run.snapshot.counts['rows'])} rows"),
        ("Base model", run.base.folder.root_digest if run.base.folder else "", run.base.name, base_url(run)),
        ("Config", run.spec_digest, ""),
        ("Task", "", Dataset.Task(run.task).label),
        ("Code", digest, code),
        ("Artifact", run.artifact.root_digest if run.artifact else "", "" if run.artifact else "none yet"),
        ("Seed", "", str(spec["seed"])),
        ("Adapter", "", adapter(strategy)),
        ("Optimiser", "", optimiser(run)),
        ("Split", "", ", ".join(f"{name} {count(splits[name])}" for name in ("train", "validation", "test") if splits.get(name))),
    ]
    if run.task == Dataset.Task.MULTI_LABEL:
        rows.append(("Thresholds", "", thresholds_for(spec)))
    if run.base.run and spec.get("rehearsal"):
        rows.append(("Rehearsal", run.base.run.snapshot.digest, f"{percent(spec['rehearsal'], 0)} of the training rows at most"))
    return [{"label": label, "digest": digest, "text": text, "url": "".join(url)} for label, digest, text, *url in rows]


def base_url(run: Run) -> str:
    """The run that left the base; empty where it came from outside."""
    return reverse("training:detail", args=[run.base.run.uuid]) if run.base.run else ""


def thresholds_for(spec: Mapping[str, Any]) -> str:
    """What the thresholds of classes are chosen for, in words."""
    by = spec.get("operating_point", "f1")
    return "best F1 of each class" if by == "f1" else f"{by} of {spec['operating_target']:g} or more of each class"


def repeat_line(run: Run) -> dict[str, Any]:
    """A run that repeats another one: run, first (which it repeats), kind of note, and a sentence."""
    repeat = queries.repeat_of(run)
    if repeat is None:
        kind, text = "", f"{run.get_state_display()}: its weights are compared when it has succeeded."
    elif repeat.is_same:
        kind, text = "live", "The same weights, bit for bit."
    else:
        changed = ", ".join(CONDITIONS[name] for name in repeat.changed)
        why = f"Not as the first time: {changed}." if changed else "Nothing that is recorded was different."
        kind, text = "warn", f"Other weights in {', '.join(repeat.differing)}. {why}"
    return {"run": run, "first": run.reproduces, "kind": kind, "text": text}


def costs(run: Run) -> list[tuple[str, str]]:
    """What the run has cost, as label and text; nothing before its end."""
    cost = queries.cost_of(run)
    if cost is None:
        return []
    unpriced = "Not measured: no price of a core-hour is set (PRICE_PER_CORE_HOUR)"

    def priced(price: float | None) -> str:
        return unpriced if price is None else f"{significant(price)} {cost['currency']}"

    def answers(each: dict[str, Any]) -> str:
        found = f"{duration(each['cpu_seconds'])} of cores, projected from {each['rows']:,} validation texts"
        return found if each["price"] is None else f"{found}; {priced(each['price'])}"

    stages = [(label, cost["stages"][name]) for name, label in STAGES.items() if name in (cost["stages"] or {})]
    return [
        *((label, f"{duration(each['seconds'])}, {duration(each['cpu_seconds'])} of cores") for label, each in stages),
        ("Core time", duration(cost["cpu_seconds"])),
        ("Peak memory", size(int(cost["peak_memory_mb"] * 2**20)) if cost["peak_memory_mb"] else "Not measured: the run failed"),
        ("Price", priced(cost["price"])),
        *((f"1,000 answers, {graph}", answers(each)) for graph, each in sorted(cost["inference"].items())),
        ("Energy", "Not measured: the engine reads no meter"),
    ]


def adapter(strategy: Mapping[str, Any]) -> str:
    """What a strategy adds to the base and what of the base stays, in one line."""
    parts = []
    if strategy["kind"] == "lora":
        parts.append(f"r={strategy['rank']}, alpha {strategy['alpha']:g}, dropout {strategy['dropout']:g}")
        parts += [word for name, word in (("dora", "DoRA"), ("rank_stabilised", "rank-stabilised")) if strategy.get(name)]
    if strategy["kind"] in ("prompt", "p_tuning", "prefix"):
        parts.append(f"{strategy['virtual_tokens']} virtual tokens")
    if strategy["kind"] == "p_tuning":
        parts.append(f"width {strategy['width']}")
    if strategy["kind"] == "adapter":
        parts.append(f"width {strategy['width']}, dropout {strategy['dropout']:g}")
    if strategy["kind"] == "ia3":
        parts.append("scales of keys, values and dense parts")
    if frozen := strategy.get("frozen_layers"):
        parts.append(f"lowest {frozen} layers frozen" + (" and run once" if strategy.get("cached") else ""))
    return ", ".join(parts) or "none"


def optimiser(run: Run) -> str:
    """Optimiser, rates and batch in one line."""
    spec, passed = run.spec, run.result.get("batch") or run.spec
    encoder = "" if run.strategy == "head" else f"{spec['learning_rate']:g}, "
    times = f" × {spec['accumulation']}" if spec.get("accumulation", 1) > 1 else ""
    parts = f", {passed['batch_size']} rows at a time" if passed["batch_size"] < spec["batch_size"] else ""
    batch = f"batch {spec['batch_size']}{times}{parts}"
    head = "" if run.writes else f"head {spec['head_learning_rate']:g}, "
    return f"AdamW, {encoder}{head}{spec.get('schedule', 'linear')}, {batch}"
