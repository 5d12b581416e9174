"""Contexts of this room's pages: rows, figures, breadcrumbs, and why buttons are disabled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from lifecycle.ground.jobs import queries as jobs
from lifecycle.ground.jobs.rules import State
from lifecycle.modeling.training import charts, forgetting_page, ports, queries, record_page
from lifecycle.modeling.training.models import Diagnosis, Run
from lifecycle.modeling.training.rules import RunState
from lifecycle.runtime.engine.strategy import MERGED
from lifecycle.runtime.task_types.by_key.measures import MEASURES, metrics_of
from lifecycle.runtime.task_types.measures import Metric
from lifecycle.ui import paging
from lifecycle.ui.addresses import find_url, key_in
from lifecycle.ui.charts import Chart
from lifecycle.ui.marks import Figure, Step
from lifecycle.ui.numbers import count, decimals, duration, percent, signed, size
from registry.ground.access.models import User
from registry.ground.access.policy import can, can_somewhere

PAGE = 30
CHARTS = {"loss": ("train_loss", "validation_loss"), **{name: (name,) for name in charts.SMALL}}
SHOWN = 2  # validation scores at the top of a run's page
DRAWN = dict.fromkeys(
    (
        *(name for each in MEASURES.values() for name in each.metrics.drawn[:SHOWN]),
        *(name for names in CHARTS.values() for name in names),
    )
)
SEVERITY = {"info": "info", "watch": "warn", "bad": "bad"}


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run in the list. score: `leading` on validation; None before it is measured. place: in the queue, if
    queued.
    """

    run: Run
    losses: list[float]
    leading: Metric
    place: int | None = None

    @property
    def standing(self) -> str:
        """Its place in the queue; empty if it isn't queued."""
        return jobs.standing(self.run.job, self.place) if self.run.job else ""

    @property
    def score(self) -> float | None:
        """The main score."""
        return self.run.metrics.get(self.leading.name)


def listing(user: User, given: Mapping[str, str]) -> dict[str, Any]:
    """Runs without trials of sweeps, newest first, by keyset; a constant number of queries."""
    before = key_in(given)
    rows = queries.runs(user).filter(sweep__isnull=True)
    found, older = paging.page(rows, before, PAGE)
    losses = queries.validation_losses(found)
    places = jobs.line_up(run.job for run in found if run.job and run.job.state == State.QUEUED).places
    lines = [
        RunLine(run, losses.get(run.pk, []), metrics_of(run.task).listed, places.get(run.job_id or 0))
        for run in found
    ]
    return {
        "lines": lines,
        "only_trials": not (lines or before) and queries.runs(user).exists(),
        "tabs": tabs("training:list"),
        "pager": paging.links(before, older),
        "may_launch": can_somewhere(user, "training.launch"),
        "compare_url": find_url("evaluation:compare"),
    }


def tabs(current: str) -> list[dict[str, Any]]:
    """The two lists: single runs, and sweeps."""
    views = {"training:list": "Runs", "training:sweeps": "Sweeps"}
    return [
        {"label": label, "url": reverse(name), "current": name == current} for name, label in views.items()
    ]


# ── One run ─────────────────────────────────────────────────────────────────
def detail(user: User, uuid: UUID) -> dict[str, Any]:
    """The context of a run's page."""
    run = queries.get_run(user, uuid)
    curves = queries.curves(run, DRAWN)
    findings = list(run.diagnoses.order_by("-updated_at", "id"))
    return live_part(user, run, curves, findings) | {
        "may_read": can(user, "datasets.read_samples", run.snapshot.dataset),
        "charts": drawings(run, curves, findings),
        "provenance": record_page.provenance(run),
        "cost": record_page.costs(run),
        "repeats": [
            record_page.repeat_line(each) for each in ([run] if run.reproduces else []) + queries.repeats(run)
        ],
        "forgetting": forgetting_page.shown(run),
        "train_on": train_on(user, run),
        "reproduce_key": uuid4() if run.state == RunState.SUCCEEDED and may_launch(user, run) else None,
        "has_manifest": (
            bool(settings.TRAINING_IMAGE)
            and run.state not in record_page.UNTRAINABLE
            and may_launch(user, run)
        ),
        "evaluation_url": (
            find_url("evaluation:of_run", uuid=run.uuid) if run.state == RunState.SUCCEEDED else ""
        ),
        "compare_url": find_url("evaluation:compare") if run.state == RunState.SUCCEEDED else "",
    }


def may_launch(user: User, run: Run) -> bool:
    """Whether the user may train on the run's data. Cached on the run, which lives as long as the request."""
    known: dict[int, bool] = run.__dict__.setdefault("_may_launch", {})
    if user.pk not in known:
        known[user.pk] = can(user, "training.launch", run)
    return known[user.pk]


def train_on(user: User, run: Run) -> dict[str, str] | None:
    """Whether a run can continue from its model, with the reason if not; None without permission or model."""
    if run.state != RunState.SUCCEEDED or not may_launch(user, run):
        return None
    if run.spec["strategy"]["kind"] in MERGED:
        return {"refused": ""}
    return {
        "refused": (
            f"{run.get_strategy_display()} doesn't change the base weights, so training can't continue"
            " from it."
        )
    }


def live(user: User, uuid: UUID) -> dict[str, Any]:
    """The parts of a run's page that change while it runs."""
    run = queries.get_run(user, uuid)
    wanted = ("validation_loss", "memory_mb", *metrics_of(run.task).drawn[:SHOWN])
    return live_part(
        user, run, queries.curves(run, wanted), list(run.diagnoses.order_by("-updated_at", "id"))
    )


def live_part(
    user: User, run: Run, curves: Mapping[str, charts.Curve], findings: list[Diagnosis]
) -> dict[str, Any]:
    """State, progress, figures, diagnoses, log, and actions."""
    active = run.state in queries.ACTIVE
    job = run.job
    waits = job is not None and job.state == State.QUEUED  # also for one without a worker
    return {
        "run": run,
        "active": active,
        "job": job,
        "line": jobs.line(user, job) if job and waits else None,
        "moves": (
            jobs.moves(job) if job and waits and may_launch(user, run) and jobs.may_cancel(user, job) else []
        ),
        "thread": thread(run),
        "eta": job.eta if job and run.state == RunState.TRAINING else None,
        "epoch": epoch(run),
        "figures": figures(run, curves),
        "acts": button_reasons(user, run),
        "findings": [{"kind": SEVERITY.get(each.severity, ""), "row": each} for each in findings],
        "log": list(run.log.order_by("-seq")[:8]),
        "kept": kept_step(run, curves),
    }


def epoch(run: Run) -> str:
    """The current epoch of a run: epoch 6 of 8."""
    total = run.spec["epochs"]
    if not run.total_steps or not run.step:
        return ""
    return f"epoch {min(total, int(run.step * total / run.total_steps - 1e-9) + 1)} of {total}"


def kept_step(run: Run, curves: Mapping[str, charts.Curve]) -> tuple[int, float] | None:
    """The step with the best main score so far, which is kept when the run stops."""
    by = metrics_of(run.task).trained
    sign = 1 if by.lower_is_better else -1
    return min(curves.get(by.name, []), key=lambda point: (sign * point[1], point[0]), default=None)


def kept_at(run: Run, curves: Mapping[str, charts.Curve]) -> int | None:
    """The kept step: from the engine's result, else the best so far."""
    return run.best_step if run.best_step is not None else (kept_step(run, curves) or (None,))[0]


def button_reasons(user: User, run: Run) -> dict[str, str]:
    """Why each button is disabled; empty if it is enabled."""
    may_pause, may_stop = (can(user, f"training.{name}", run) for name in ("pause", "stop"))
    role = "Only ML engineers and ML leads can do this"
    ended = (
        f"The run has {'finished' if run.state == RunState.SUCCEEDED else run.get_state_display().lower()}"
    )
    going = f"It is {run.get_state_display().lower()}"
    pause = (
        ""
        if run.state in (RunState.QUEUED, RunState.TRAINING)
        else going
        if run.state in queries.UNFINISHED
        else ended
    )
    stop = going if run.state == RunState.STOPPING else "" if run.state in queries.UNFINISHED else ended
    resume = (
        ""
        if run.state in (RunState.PAUSED, RunState.STOPPED, RunState.FAILED)
        else "Only a paused, stopped, or failed run can be resumed"
    )
    register = "" if run.state == RunState.SUCCEEDED else "Available after the run succeeds"
    url = find_url("catalog:register_run", uuid=run.uuid)
    if not url and not register:
        register = "The registry isn't installed"
    return {
        "pause": pause or ("" if may_pause else role),
        "stop": stop or ("" if may_stop else role),
        "resume": resume or ("" if may_launch(user, run) else role),
        "register": register or ("" if may_launch(user, run) else role),
        "register_url": url,
    }


def figures(run: Run, curves: Mapping[str, charts.Curve]) -> list[Figure]:
    """The figures at the top: best values, each with its reference if there is one."""
    kept = kept_at(run, curves)
    at_kept = {name: dict(curve).get(kept) for name, curve in curves.items()} if kept is not None else {}
    metrics = metrics_of(run.task)
    best = metrics.drawn[:SHOWN]
    shown = {name: run.metrics.get(name, at_kept.get(name)) for name in best}
    reference = ports.reference(run)
    losses = curves.get("validation_loss", [])
    result = run.result or {}
    trainable, total = result.get("trainable_parameters"), result.get("total_parameters")
    seconds = result.get("seconds") or (
        ((run.finished_at or timezone.now()) - run.started_at).total_seconds() if run.started_at else None
    )
    strip = [compared(metrics[name], shown[name], reference, is_best=name == best[0]) for name in best]
    ece = run.metrics.get("ece")
    sure = Figure(
        "ECE",
        decimals(ece) if ece is not None else None,
        sub="calibrated on validation" if ece is not None else "with the model",
    )
    return [
        *strip,
        Figure(
            "Validation loss",
            decimals(losses[-1][1]) if losses else None,
            sub=f"lowest {lowest(losses)}" if losses else "",
        ),
        *([sure] if run.task_type.has_confidence else []),
        Figure(
            "Trainable",
            percent(trainable / total, 2) if trainable and total else None,
            sub=f"{count(trainable)} of {count(total)}" if trainable and total else "available at the end",
        ),
        Figure(
            "Time",
            duration(seconds) if seconds else None,
            sub=(
                f"{size(int(result['peak_memory_mb'] * 2**20))} at most"
                if result.get("peak_memory_mb")
                else ""
            ),
        ),
    ]


def compared(
    metric: Metric, value: float | None, reference: ports.Reference | None, *, is_best: bool
) -> Figure:
    """A value with its difference from the reference, if both are known. is_best: the best step is the best
    by it.
    """
    label = f"{metric.heading}, best" if is_best else metric.heading
    known = reference.values.get(metric.name) if reference else None
    if value is None or known is None or reference is None:
        return Figure(
            label,
            decimals(value) if value is not None else None,
            sub="on validation" if value is not None else "",
        )
    difference = value - known
    gain = metric.gain(difference)
    return Figure(
        label,
        decimals(value),
        sub=f"on {reference.name}",
        change=signed(difference),
        good=gain > 0 if gain else None,
    )


def lowest(losses: charts.Curve) -> str:
    """The lowest validation loss with its step."""
    step, value = min(losses, key=lambda point: point[1])
    return f"{decimals(value)} at step {count(step)}"


def thread(run: Run) -> list[Step]:
    """Dataset, version, this run, and later steps by upper rooms."""
    dataset = run.snapshot.dataset
    steps = [
        Step("Dataset", dataset.name, find_url("datasets:dataset", uuid=dataset.uuid)),
        Step(
            "Dataset version",
            f"v{run.snapshot.number}",
            find_url("snapshots:detail", uuid=run.snapshot.uuid),
            digest=run.snapshot.digest,
        ),
        Step("Run", str(run.number), at="now"),
    ]
    return steps + (ports.later_steps(run) or [Step("Version", "not registered", at="next")])


def drawings(run: Run, curves: Mapping[str, charts.Curve], findings: list[Diagnosis]) -> dict[str, Any]:
    """The loss chart and the small multiples."""
    return {
        "loss": drawing(run, "loss", curves, findings),
        "small": [drawing(run, name, curves, findings) for name in charts.SMALL],
    }


def drawing(run: Run, chart: str, curves: Mapping[str, charts.Curve], findings: list[Diagnosis]) -> Chart:
    """One chart of a run, up to date."""
    active, total = run.state in queries.ACTIVE, run.total_steps
    if chart in charts.SMALL:
        curve = curves.get(chart, [])
        return charts.small(chart, curve, total=total, live=active, updates=points_url(run, chart, curve))
    train, validation = curves.get("train_loss", []), curves.get("validation_loss", [])
    return charts.loss(
        train,
        validation,
        total=total,
        kept_step=kept_at(run, curves),
        by=metrics_of(run.task).trained.words,
        lowered=metrics_of(run.task).lowered,
        overfit_from=next((each.from_step for each in findings if each.code == "overfitting"), None),
        live=active,
        updates=points_url(run, "loss", train, validation),
    )


def points_url(run: Run, chart: str, *curves: charts.Curve) -> str:
    """The URL for points after the last ones of a chart."""
    last = max((curve[-1][0] for curve in curves if curve), default=-1)
    return f"{reverse('training:points', args=[run.uuid])}?chart={chart}&after={last}"


def new_points(run: Run, chart: str, after: int) -> Mapping[str, Any]:
    """Points of one chart after a step, and the next URL while the run is active."""
    names = CHARTS[chart]
    found = queries.new_points(run, names, after)
    curves = [found.get(name, []) for name in names]
    last = max([after, *(curve[-1][0] for curve in curves if curve)])
    following = (
        f"{reverse('training:points', args=[run.uuid])}?chart={chart}&after={last}"
        if run.state in queries.ACTIVE
        else None
    )
    return charts.updates(curves, following)


def page_points(run: Run, chart: str, after: int) -> Mapping[str, Any]:
    """The new points, with the whole updated chart if there are any, since axes, labels, and the finding
    change too.
    """
    found = new_points(run, chart, after)
    if not any(found["x"]):
        return found
    curves = queries.curves(run, (*CHARTS[chart], metrics_of(run.task).trained.name))
    now = drawing(run, chart, curves, list(run.diagnoses.order_by("-updated_at", "id")))
    return {**found, "chart": {"figure": now.json, "lead": now.lead, "caption": now.caption}}
