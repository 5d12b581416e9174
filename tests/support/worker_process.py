"""A worker with kinds of work of its own, `python worker_process.py QUEUE`, and what a hand calls to queue
them, or runs on a tiny base.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).parents[2]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lifecycle.settings")

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from lifecycle.ground.jobs import actions, registry  # noqa: E402
from lifecycle.ground.jobs.context import JobContext  # noqa: E402
from lifecycle.ground.jobs.registry import JobKind  # noqa: E402
from lifecycle.modeling.training import actions as training  # noqa: E402
from registry.ground.access.models import User  # noqa: E402
from registry.ground.access.roles import Role  # noqa: E402


def quick(ctx: JobContext) -> None:
    ctx.progress(1, 1, stage="Done at once")


def count_to_ten(ctx: JobContext) -> None:
    """One step a quarter of a second; goes on from its checkpoint."""
    for step in range(ctx.job.checkpoint.get("step", 0), 10):
        ctx.raise_if_cancelled()
        with Path(os.environ["STEPS"]).open("a") as steps:
            steps.write(f"{ctx.job.attempt}:{step}\n")
        ctx.checkpoint({"step": step + 1})
        ctx.progress(step + 1, 10, stage="Counting", unit="steps")
        time.sleep(0.25)


def hold(ctx: JobContext) -> None:
    """Wait until the file of steps exists."""
    while not Path(os.environ["STEPS"]).exists():
        ctx.raise_if_cancelled()
        time.sleep(0.1)


def enqueue(kind: str) -> str:
    return str(actions.enqueue(kind, actor=None, project=None, args={}).uuid)


def reproduce(run: str) -> str:
    """The same run once more."""
    return str(training.reproduce(run_id=UUID(run), actor=User.objects.get(username="mia")).uuid)


def launch(epochs: int) -> str:
    """A run of full fine-tuning on a handful of rows, by mia."""
    from tests.support.people import make_person, make_project
    from tests.support.tiny_models import make_tiny_base
    from tests.support.training import make_base, make_run, make_snapshot

    mia = make_person("mia", project=make_project(), role=Role.ENGINEER)
    snapshot = make_snapshot(make_project(), mia)
    base = make_base(make_project(), mia, folder=make_tiny_base(Path(os.environ["DATA_DIR"]) / "tiny"))
    options = {"epochs": epochs, "batch_size": 4, "precision": "fp32", "patience": 0, "threads": 1}
    return str(make_run(snapshot, mia, succeeded=False, strategy="full", base=base, **options).uuid)


registry.register(JobKind("test.quick", "Quick", quick))
registry.register(JobKind("test.count", "Count to ten", count_to_ten))
registry.register(JobKind("test.train", "Train", hold, queue="training"))
registry.register(JobKind("test.evaluate", "Evaluate", quick, queue="evaluation"))

if __name__ == "__main__":
    call_command("worker", sys.argv[1])
