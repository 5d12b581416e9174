"""The job that disturbs an evaluation's texts and has its model answer them."""

from __future__ import annotations

import shutil
from pathlib import Path

from django.conf import settings
from django.db import transaction

from datasets_app.snapshots import queries as snapshots
from lifecycle.compute.child import run_child
from lifecycle.engine.spec import Base, RobustnessSpec
from lifecycle.evaluation import actions
from lifecycle.evaluation.models import Evaluation
from lifecycle.jobs.context import JobContext
from lifecycle.refusals import Refused
from lifecycle.training.folders import link, local_folder


def probe(ctx: JobContext) -> None:
    """Compute in a child process and keep the report. Its folder holds texts, so it goes away whatever happens."""
    related = ("run__project", "run__base__folder", "run__artifact", "snapshot__dataset")
    evaluation = Evaluation.objects.select_related(*related).get(uuid=ctx.args["evaluation"])
    folder = Path(settings.DATA_DIR) / "probes" / str(ctx.job.uuid)
    try:
        ctx.progress(0, stage="Preparing the data")
        prepare(evaluation, folder)
        ctx.raise_if_cancelled()
        result = run_child(ctx, "robustness", folder, lambda events: None)
        ctx.raise_if_cancelled()
        if not result.ok:
            raise Refused(result.message or "The probes stopped before their end.", next_step=result.next_step)
        with transaction.atomic():
            ctx.hold()
            flips = folder / "flips.parquet"
            actions.keep_probes(evaluation=evaluation, result=result.data, flips=flips, actor=ctx.job.created_by)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def prepare(evaluation: Evaluation, folder: Path) -> None:
    """Lay out the artifact, the base and the rows of the split."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run = evaluation.run
    snapshots.write_split(evaluation.snapshot, evaluation.split, folder / "data.jsonl")
    link(folder / "artifact", local_folder("artifacts", run.artifact))
    link(folder / "base", local_folder("bases", run.base.folder))
    base = Base(path="base", name=run.base.name, digest=run.base.facts["engine_digest"])
    RobustnessSpec(artifact="artifact", base=base).write(folder / "spec.json")
