"""The working folder of a run's process: its input and output."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from django.conf import settings

from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import Device
from lifecycle.modeling.training import earlier
from lifecycle.modeling.training.models import Run
from lifecycle.runtime.engine.data import DEVICE, EARLIER, REHEARSAL
from lifecycle.runtime.engine.spec import Base, TrainSpec
from lifecycle.runtime.refusals import Refused
from registry.ground.artifacts import actions as artifacts
from registry.ground.artifacts.models import Folder

DATA = {"train": "train.jsonl", "validation": "validation.jsonl"}  # never the test rows
BEFORE = (REHEARSAL, EARLIER)  # rows of the version that the base was trained on
KEPT = {"spec.json", "events.jsonl", "result.json"}  # of a finished run: neither texts nor checkpoints


def run_folder(run: Run) -> Path:
    """The working folder of a run's process."""
    return Path(settings.DATA_DIR) / "runs" / str(run.uuid)


def run_device(folder: Path) -> Device | None:
    """The device on which the run in this folder was started; None if it wasn't."""
    path = folder / DEVICE
    return Device(json.loads(path.read_text(encoding="utf-8"))["device"]) if path.exists() else None


def scratch(job: Job) -> Path:
    """The working folder of a job that leaves nothing behind. It may hold texts."""
    return Path(settings.DATA_DIR) / "scratch" / str(job.uuid)


def forget(job: Job) -> None:
    """Remove the folder of a job whose worker was lost before cleaning up."""
    shutil.rmtree(scratch(job), ignore_errors=True)


def prepare(run: Run, folder: Path) -> None:
    """Lay out all input of the engine; after a crash, existing files are written again with the same
    bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for split, name in DATA.items():
        part = folder / f".{name}"
        snapshots.write_split(run.snapshot, split, part)
        part.replace(folder / name)
    spec = TrainSpec.from_json(run.spec)
    if run.base.run is not None and run.base.run.task == spec.task:
        prepare_earlier(run.base.run, run.snapshot, spec, folder)
    link(folder / "base", local_folder("bases", run.base.folder))
    spec.write(folder / "spec.json")


def prepare_earlier(before: Run, snapshot: Snapshot, spec: TrainSpec, folder: Path) -> None:
    """Lay out rehearsal rows from the base's data, and rows that measure forgetting; no file if there are
    none.
    """
    wanted = spec.rehearsed_rows(snapshot.counts["splits"]["train"])
    shared = set(spec.labels) & set(before.spec["labels"])
    parts = {
        REHEARSAL: (
            "train",
            earlier.to_rehearse(before.snapshot, snapshot, spec.labels, wanted) if wanted else iter(()),
        ),
        EARLIER: (
            earlier.measured_split(before.snapshot),
            earlier.to_measure(before.snapshot, snapshot, shared),
        ),
    }
    for name, (split, rows) in parts.items():
        part = folder / f".{name}"
        written = snapshots.write_split(before.snapshot, split, part, rows)
        part.replace(folder / name) if written else part.unlink()


def local_folder(kind: str, folder: Folder | None) -> Path:
    """A folder of the store on this machine, by digest; kept for later use."""
    if folder is None:
        raise Refused("The base model's files are missing.", next_step="Add it again under Base models.")
    return artifacts.write_folder(folder, Path(settings.DATA_DIR) / kind / folder.root_digest)


def link(path: Path, target: Path) -> None:
    """Point `path` at a folder, replacing another target."""
    path.unlink(missing_ok=True)
    path.symlink_to(target, target_is_directory=True)


def link_model(run: Run, folder: Path) -> Base:
    """Lay out a run's artifact and its base as "artifact" and "base". Returns the base as in a spec."""
    link(folder / "artifact", local_folder("artifacts", run.artifact))
    link(folder / "base", local_folder("bases", run.base.folder))
    return Base(path="base", name=run.base.name, digest=run.base.facts["engine_digest"])


def drop_texts(folder: Path) -> None:
    """Remove texts, and anything computed from each, from the folder of a paused run; a resume recreates them
    from the dataset version.
    """
    for name in (*DATA.values(), *BEFORE):
        for part in (name, f".{name}"):
            (folder / part).unlink(missing_ok=True)
    shutil.rmtree(folder / "cache", ignore_errors=True)


def clean(folder: Path) -> None:
    """Keep only spec, events, and result of a finished run: its artifact is in the store, and its texts
    belong to the dataset.
    """
    for path in folder.iterdir() if folder.exists() else ():
        if path.name in KEPT:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
