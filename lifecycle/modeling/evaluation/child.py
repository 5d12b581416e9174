"""Run the engine with a run's model in a child process."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lifecycle.ground.compute.child import run_child, wait_until_free
from lifecycle.ground.jobs.context import JobContext
from lifecycle.modeling.training.folders import link_model, scratch
from lifecycle.modeling.training.models import Run
from lifecycle.runtime.engine.document import Document
from lifecycle.runtime.engine.spec import Base
from lifecycle.runtime.refusals import Refused

Prepare = Callable[[Path, Base], Document]


@contextmanager
def carried_out(
    ctx: JobContext, verb: str, run: Run, prepare: Prepare
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """What the process left: its folder, and its result.

    prepare: writes the rows into the folder, which already has the artifact and the base, and returns the
    request. The folder holds texts, so it is always removed; if the job is lost, by the worker that takes it
    over. Raises Refused with the engine's message.
    """
    folder = scratch(ctx.job)
    wait_until_free(ctx, folder)
    try:
        ctx.progress(0, stage="Preparing data")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        prepare(folder, link_model(run, folder)).write(folder / "spec.json")
        ctx.raise_if_cancelled()
        result = run_child(ctx, verb, folder, lambda events: None)
        ctx.raise_if_cancelled()
        if not result.ok:
            raise Refused(result.message or "The computation stopped early.", next_step=result.next_step)
        yield folder, result.data
    finally:
        if not ctx.lost:  # otherwise it belongs to the worker that took the job over
            shutil.rmtree(folder, ignore_errors=True)
