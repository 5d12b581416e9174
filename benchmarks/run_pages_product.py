"""What the benchmark does inside its installation."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from benchmarks.labeling_pages_product import NUMBERS, UUID, refresh
from benchmarks.labeling_pages_product import run as execute
from datasets_app.snapshots.models import Snapshot
from lifecycle.modeling.evaluation import actions as evaluation
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.training.models import MetricPoint, Run
from lifecycle.runtime.task_types.single_label import measures as single_label
from lifecycle.runtime.task_types.single_label import predictions
from registry.ground.access.models import Project, User
from registry.ground.access.roles import Role
from tests.support.people import make_person, make_project
from tests.support.training import make_run, make_snapshot

LOGGED = ("train_loss", "learning_rate", "examples_per_second", "memory_mb", "gradient_norm")
SCORED = ("validation_loss", "accuracy", "macro_f1", "ece", "predicted_classes")
FEW_POINTS = 20_000  # of the small world
EVALUATIONS, LOG_STEPS, TEXTS = 1_000, 10, 20


def play(points: int, items: int, labels: int, runs: int, rounds: int) -> dict[str, Any]:
    """Ask every page of a small world and of a large one."""
    settings.ALLOWED_HOSTS = ["*"]
    settings.SECURE_SSL_REDIRECT = False
    project = make_project("benchmark", "Benchmark")
    mia = make_person("mia", project=project, role=Role.ENGINEER)
    few = make_run(make_snapshot(project, mia, name="few"), mia)
    other = make_run(few.snapshot, mia, accuracy=0.8, seed=2)
    add_points(few, FEW_POINTS)
    small = statements(mia, few, other)
    began = time.monotonic()
    snapshot = make_snapshot(project, mia, name="many", texts=texts(labels), copies=1)
    large, second = (
        make_run(snapshot, mia, accuracy=share, seed=seed) for share, seed in ((0.9, 1), (0.85, 2))
    )
    log(began, "texts and two runs")
    for run, seed in ((large, 3), (second, 4)):
        answered(run, items, seed)
        log(began, "answers of one")
    add_points(large, points)
    log(began, "points")
    add_runs(project, snapshot, large, runs)
    refresh()
    laid = time.monotonic() - began
    log(began, "runs")
    many = statements(mia, large, second)
    pages = [
        summary(name, found, small[name], many[name])
        for name, found in timed(mia, large, second, rounds).items()
    ]
    return {
        "pages": pages,
        "worst_p95_ms": max(page["p95_ms"] for page in pages),
        "grown": [page["page"] for page in pages if page["statements"] > page["statements_small"]],
        "points": MetricPoint.objects.filter(run=large).count(),
        "laid_down_s": round(laid, 1),
        "others_load": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
    }


def log(began: float, what: str) -> None:
    """How far it is, for who waits."""
    print(f"{time.monotonic() - began:>7.1f} s  {what} laid down", file=sys.stderr)


def texts(labels: int) -> dict[str, list[str]]:
    """Some texts of each label."""
    return {
        f"class_{label:03}": [f"Text {at} of the class {label}" for at in range(TEXTS)]
        for label in range(labels)
    }


def answered(run: Run, items: int, seed: int) -> Evaluation:
    """An evaluation of so many items; those of the dataset version's test split are real, the others are
    digests alone.
    """
    names, random = tuple(run.spec["labels"]), np.random.default_rng(seed)
    real = predictions_ids(run)
    ids = (real + [f"{at:064x}" for at in range(items)])[:items]
    truth = np.random.default_rng(1).integers(0, len(names), items)
    logits = random.normal(size=(items, len(names)))
    logits[np.arange(items), truth] += 3.5
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    made = predictions.Predictions(names, tuple(ids), truth, shares)
    report = single_label.ENTRY.report(made, count=100)
    baselines = {"majority": {name: report[name] / 20 for name in ("accuracy", "macro_f1")}}
    result = {
        "format": 1,
        "status": "succeeded",
        "error": None,
        "temperature": 1.0,
        **report,
        "baselines": baselines,
    }
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "predictions.parquet"
        predictions.ENTRY.write(path, made, "test")
        return evaluation.keep(run=run, split="test", result=result, predictions=path, actor=None)


def predictions_ids(run: Run) -> list[str]:
    """The digests of all items of a run's dataset."""
    return list(run.snapshot.dataset.items.order_by("id").values_list("digest", flat=True))


def add_points(run: Run, points: int) -> None:
    """A value of each logged metric every ten steps, and evaluations at even distances."""
    run.points.all().delete()
    logged = (points - EVALUATIONS * len(SCORED)) // len(LOGGED)
    every = max(1, logged // EVALUATIONS) * LOG_STEPS
    for names, count, distance in ((LOGGED, logged, LOG_STEPS), (SCORED, EVALUATIONS, every)):
        for name in names:
            execute(
                f"""INSERT INTO training_metricpoint (run_id, name, step, value)
                SELECT %(run)s, %(name)s, i * %(distance)s, 1 + 100.0 / i FROM ({NUMBERS[connection.vendor]}) AS k""",  # noqa: E501
                {"run": run.pk, "name": name, "distance": distance, "items": count},
            )
    last = logged * LOG_STEPS
    Run.objects.filter(pk=run.pk).update(step=last, total_steps=last, best_step=every * EVALUATIONS)
    run.refresh_from_db()


def add_runs(project: Project, snapshot: Snapshot, like: Run, count: int) -> None:
    """Runs that have ended, each with twenty evaluations. The first is made as the product makes one; the
    database copies it.
    """
    number = Run.objects.filter(project=project).order_by("-number")[0].number + 1
    same = {
        name: getattr(like, name)
        for name in ("strategy", "spec", "spec_digest", "code_version", "state", "metrics", "result")
    }
    first = Run.objects.create(
        project=project,
        number=number,
        snapshot=snapshot,
        base=like.base,
        launched_by=like.launched_by,
        step=200,
        **same,
    )
    own = {"id", "uuid", "number"}
    columns = ", ".join(
        column
        for field in Run._meta.concrete_fields
        if (column := connection.ops.quote_name(field.column)).strip('"') not in own
    )
    vendor = connection.vendor
    execute(
        f"""INSERT INTO training_run (uuid, number, {columns}) SELECT {UUID[vendor]}, number + i, {columns}
        FROM training_run, ({NUMBERS[vendor]}) AS k WHERE id = %(first)s""",
        {"first": first.pk, "items": count - 1},
    )
    execute(
        f"""INSERT INTO training_metricpoint (run_id, name, step, value) SELECT training_run.id, 'validation_loss', 10 * i, 1.0 / i
        FROM training_run, ({NUMBERS[vendor]}) AS k WHERE project_id = %(project)s AND number >= %(number)s""",  # noqa: E501
        {"project": project.pk, "number": number, "items": 20},
    )


def addresses(run: Run, other: Run) -> Iterator[tuple[str, str]]:
    """Name and address of every page."""
    found = {
        each: Evaluation.objects.filter(run=each, split="test").order_by("-id")[0] for each in (run, other)
    }
    mine, theirs = found[run], found[other]
    counts = mine.report["confusion"]["counts"]
    pair = next(
        (row, column)
        for row, line in enumerate(counts)
        for column, number in enumerate(line)
        if number and row != column
    )
    names = mine.report["confusion"]["labels"]
    cell = f"?true={names[pair[0]]}&predicted={names[pair[1]]}"
    yield "list of runs", reverse("training:list")
    yield "list of runs, far on", reverse("training:list") + f"?before={run.pk + 1}"
    yield "a run", reverse("training:detail", args=[run.uuid])
    yield (
        "a run's new points",
        reverse("training:points", args=[run.uuid]) + f"?chart=loss&after={max(0, run.step - 100)}",
    )
    yield "a run's evaluation", reverse("evaluation:of_run", args=[run.uuid])
    yield "list of evaluations", reverse("evaluation:list")
    yield "an evaluation", reverse("evaluation:detail", args=[mine.uuid])
    yield "an evaluation, all classes", reverse("evaluation:detail", args=[mine.uuid]) + "?classes=all"
    yield "items of a cell", reverse("evaluation:items", args=[mine.uuid]) + cell
    yield "all errors", reverse("evaluation:items", args=[mine.uuid])
    yield (
        "comparing two (kept for an hour)",
        reverse("evaluation:compare") + f"?a={mine.uuid}&b={theirs.uuid}",
    )
    yield "a run over REST", reverse("api-run", args=[run.uuid])
    yield "runs over REST", reverse("api-runs")
    yield "an evaluation over REST", reverse("api-evaluation", args=[mine.uuid])


def signed_in(person: User) -> Client:
    """The person's browser."""
    browser = Client()
    browser.force_login(person)
    return browser


def statements(person: User, run: Run, other: Run) -> dict[str, int]:
    """How many statements each page takes, the second time."""
    browser, found = signed_in(person), {}
    for name, address in addresses(run, other):
        ask(browser, address)
        with CaptureQueriesContext(connection) as captured:
            ask(browser, address)
        found[name] = len(captured)
    return found


def timed(person: User, run: Run, other: Run, rounds: int) -> dict[str, list[tuple[float, float, int]]]:
    """Milliseconds of each page, pages in turn: until it was there, and of this process's CPU; and its
    bytes.
    """
    browser, pages = signed_in(person), list(addresses(run, other))
    times: dict[str, list[tuple[float, float, int]]] = {name: [] for name, _ in pages}
    for _ in range(rounds):
        for name, address in pages:
            began, busy = time.perf_counter(), time.process_time()
            size = ask(browser, address)
            times[name].append(
                (1000 * (time.perf_counter() - began), 1000 * (time.process_time() - busy), size)
            )
    return times


def summary(name: str, found: list[tuple[float, float, int]], few: int, many: int) -> dict[str, Any]:
    """One page's line."""
    walls = sorted(wall for wall, _, _ in found)
    return {
        "page": name,
        "p50_ms": round(statistics.median(walls), 1),
        "p95_ms": round(walls[-(-95 * len(walls) // 100) - 1], 1),
        "cpu_ms": round(statistics.median(cpu for _, cpu, _ in found), 1),
        "kilobytes": found[0][2] // 1000,
        "statements": many,
        "statements_small": few,
    }


def ask(client: Client, address: str) -> int:
    """Read a page; its size in bytes. Raises RuntimeError unless it is one."""
    answer = client.get(address)
    if answer.status_code != 200:
        raise RuntimeError(f"{address} answered {answer.status_code}.")
    return len(answer.content)
