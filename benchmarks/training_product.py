"""What the queue and its worker take beside a run: `python -m benchmarks.training_product PART JSON`, in an
installation of its own.

A job runs here as in a worker process, and the engine in a child process as always: the CPU time of this
process, while it carries the training job out, is the product's time for claiming, writing the folder,
reading events and storing the results.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any


def queue(path: str, ways: list[str], seed: int) -> dict[str, dict[str, float]]:
    """Import the file, create a dataset version, and train one pass over its rows by each way. Returns CPU
    seconds of the job here and of the run, by way.
    """
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from benchmarks.banking77_product import drain, person, upload_file
    from datasets_app.datasets import actions as datasets
    from datasets_app.snapshots import actions as snapshots
    from datasets_app.snapshots.models import Snapshot
    from lifecycle.modeling.training import actions as training
    from registry.ground.access import actions as access
    from registry.ground.access.roles import Role

    project = access.create_project(name="Benchmark", slug="benchmark", actor=None)
    analyst, engineer = person("ana", Role.ANALYST, project), person("mia", Role.ENGINEER, project)
    target = datasets.create_dataset(project=project, actor=analyst, name="banking77", language="en")
    upload_file(target, analyst, Path(path))
    snapshots.freeze(dataset=target, actor=engineer)
    drain()
    base = training.add_packaged_base(project=project, actor=engineer)
    drain()
    base.refresh_from_db()
    found = {}
    for way in ways:
        options = {"seed": seed, "epochs": 1, "batch_size": 32}
        run = training.launch(
            snapshot=Snapshot.objects.get(dataset=target),
            base=base,
            strategy=way,
            actor=engineer,
            options=options,
        )
        here = carry_out(run)
        run.refresh_from_db()
        found[way] = {"here": here, "run": run.result["cpu_seconds"], "steps": run.step}
        drain()
    return found


def carry_out(run: Any) -> float:
    """Take the run's job from the queue and do it; CPU seconds of this process."""
    from lifecycle.ground.jobs import actions as jobs
    from lifecycle.ground.jobs import runner
    from lifecycle.ground.jobs.rules import Queue

    busy = time.process_time()
    job = jobs.claim(Queue.TRAINING)
    if job is None:
        raise RuntimeError(f"{run} does not wait in the queue.")
    runner.execute(job)
    taken = time.process_time() - busy
    run.refresh_from_db()
    if run.state != "succeeded":
        raise RuntimeError(f"{run} {run.state}: {run.error}")
    return round(taken, 3)


def main() -> None:
    """Run the part that the command names."""
    part, given = sys.argv[1], json.loads(sys.argv[2])
    print(json.dumps({"queue": queue}[part](**given)))


if __name__ == "__main__":
    main()
