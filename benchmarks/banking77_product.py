"""The benchmark inside its installation: the work of one analyst and one engineer, by the product's own
actions.
"""

from __future__ import annotations

import csv
import secrets
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.utils import timezone

from datasets_app.datasets import actions as datasets
from datasets_app.datasets.models import Dataset, Upload
from datasets_app.snapshots import actions as snapshots
from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs import runner
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import Queue, State
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.training import actions as training
from lifecycle.modeling.training.models import Run
from registry.ground.access import actions as access
from registry.ground.access.models import Project, User
from registry.ground.access.roles import Role


def play(folder: Path, held_out: int, seed: int) -> dict[str, Any]:
    """Import the files, create a version, fine-tune, evaluate. held_out: one in so many rows of each category
    is validation. Returns the figures.
    """
    began = time.monotonic()
    project = access.create_project(name="Benchmark", slug="benchmark", actor=None)
    analyst, engineer = person("ana", Role.ANALYST, project), person("mia", Role.ENGINEER, project)
    target = datasets.create_dataset(project=project, actor=analyst, name="banking77", language="en")
    with TemporaryDirectory() as scratch:
        paths = {
            name: with_split(folder / name, Path(scratch), held_out) for name in ("train.csv", "test.csv")
        }
        uploads = {name: upload_file(target, analyst, path) for name, path in paths.items()}
    imported = time.monotonic()
    snapshots.freeze(dataset=target, actor=engineer)
    drain()
    frozen, snapshot = time.monotonic(), Snapshot.objects.get(dataset=target)
    base = training.add_packaged_base(project=project, actor=engineer)
    drain()
    base.refresh_from_db()
    run = training.launch(
        snapshot=snapshot, base=base, strategy=Run.Strategy.LORA, actor=engineer, options={"seed": seed}
    )
    drain()
    run.refresh_from_db()
    evaluation = Evaluation.objects.get(run=run, split="test")
    return {
        **measured(evaluation.report),
        "baselines": {name: measured(found) for name, found in evaluation.report["baselines"].items()},
        "rows": {
            name: {"read": each.rows_read, "new": each.rows_new, "duplicate": each.rows_duplicate}
            for name, each in uploads.items()
        },
        "left_out": snapshot.leakage["left_out"],
        "splits": snapshot.counts["splits"],
        **of_run(run, seed),
        "import_seconds": round(imported - began, 1),
        "freeze_seconds": round(frozen - imported, 1),
        "seconds": round(time.monotonic() - began, 1),
    }


def person(username: str, role: Role, project: Project) -> User:
    """A user with a role who never signs in."""
    user = access.create_user(
        username=username,
        display_name=username.capitalize(),
        email="",
        password=secrets.token_urlsafe(20),
        actor=None,
    )
    access.grant(user=user, role=role, root=project, actor=None)
    return user


def with_split(path: Path, scratch: Path, held_out: int) -> Path:
    """The file with a split column; in the train file one in `held_out` rows of each category is
    validation.
    """
    seen: Counter[str] = Counter()
    made = scratch / path.name
    with (
        path.open(encoding="utf-8", newline="") as source,
        made.open("w", encoding="utf-8", newline="") as target,
    ):
        writer = csv.writer(target)
        writer.writerow(["text", "category", "split"])
        for row in csv.DictReader(source):
            seen[row["category"]] += 1
            split = (
                "validation" if path.stem == "train" and seen[row["category"]] % held_out == 0 else path.stem
            )
            writer.writerow([row["text"], row["category"], split])
    return made


def upload_file(target: Dataset, analyst: User, path: Path) -> Upload:
    """Upload, dry run, acceptance, import."""
    upload = datasets.receive_upload(
        dataset=target, actor=analyst, file=path, file_name=path.name, origin="banking77"
    )
    datasets.inspect(upload_id=upload.uuid, actor=analyst)
    drain()
    datasets.accept_upload(upload_id=upload.uuid, actor=analyst)
    drain()
    upload.refresh_from_db()
    return upload


def drain() -> None:
    """Run queued jobs, and those that they queue, until none is left. Raises RuntimeError with a job's own
    error.
    """
    while True:
        Job.objects.filter(state=State.QUEUED).update(available_at=timezone.now())
        job = next((job for queue in Queue.values if (job := jobs.claim(queue))), None)
        if job is None:
            return
        runner.execute(job)
        job.refresh_from_db()
        if job.state not in (State.SUCCEEDED, State.QUEUED):
            raise RuntimeError(f"{job.kind} {job.state}: {job.error} {job.next_step}")


def measured(report: dict[str, Any]) -> dict[str, Any]:
    """Accuracy and macro-F1 with their intervals."""
    return {name: {"value": report[name], **report["intervals"][name]} for name in ("accuracy", "macro_f1")}


def of_run(run: Run, seed: int) -> dict[str, Any]:
    """The settings and cost of a run."""
    result = run.result
    return {
        "seed": seed,
        "strategy": run.strategy,
        "base": run.base.name,
        "best_step": run.best_step,
        "last_step": run.step,
        "train_seconds": result["seconds"],
        "peak_memory_mb": result["peak_memory_mb"],
        "precision": result["precision"],
        "threads": result["environment"]["threads"],
        "trainable_parameters": result["trainable_parameters"],
    }
