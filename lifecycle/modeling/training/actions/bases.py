"""Add base models to a project: from an installed package, a local folder, the Hugging Face Hub, or a run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from lifecycle.ground.jobs.actions import enqueue
from lifecycle.modeling.training import facts
from lifecycle.modeling.training.models import BaseModel, Run
from lifecycle.modeling.training.rules import RunState
from lifecycle.runtime.engine.base import MINILM, MINILM_PACKAGE, SMOLLM2, SMOLLM2_PACKAGE
from lifecycle.runtime.engine.strategy import MERGED
from lifecycle.runtime.refusals import Conflict, NotReady, Refused
from registry.ground.access.models import Project, User
from registry.ground.access.policy import require
from registry.ground.artifacts import actions as artifacts
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb

PACKAGES = {MINILM: MINILM_PACKAGE, SMOLLM2: SMOLLM2_PACKAGE}
HUB_ID = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,95}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
COMMIT = re.compile(r"[0-9a-f]{40}")


def add_packaged_base(*, project: Project, actor: User | None, name: str = MINILM) -> BaseModel:
    """The base model of an installed package, imported by a job. Adding it twice gives the same one.

    actor: None is the system itself. Raises Refused if the package isn't installed.
    """
    facts.packaged(name)
    return _add(project, actor, name=name, kind=BaseModel.Kind.PACKAGE, source=PACKAGES[name])


def add_folder_base(*, project: Project, actor: User, path: str, name: str = "") -> BaseModel:
    """A folder of safetensors under one of BASE_MODEL_DIRS, checked at once and imported by a job.

    Raises Refused: outside the allowed folders, behind a symbolic link, or with executable content.
    """
    require(actor, "training.add_base", project)
    try:
        folder = facts.allowed_folder(path.strip(), settings.BASE_MODEL_DIRS)
        facts.check_folder(folder, name or folder.name)
    except Refused as error:
        raise Refused(
            error.message,
            next_step=error.next_step,
            fields={"path": [str(error), *filter(None, [error.next_step])]},
        ) from error
    return _add(
        project, actor, name=name.strip() or folder.name, kind=BaseModel.Kind.FOLDER, source=str(folder)
    )


def add_hub_base(*, project: Project, actor: User, hub_id: str, revision: str) -> BaseModel:
    """A model of the Hugging Face Hub at one commit, downloaded by a job.

    Raises Refused for an invalid id or revision, NotReady if this installation is offline.
    """
    require(actor, "training.add_base", project)
    hub_id, revision = hub_id.strip(), revision.strip().lower()
    if not HUB_ID.fullmatch(hub_id) or ".." in hub_id:
        text = "A hub ID has the form owner/name, such as sentence-transformers/all-MiniLM-L6-v2."
        raise Refused(text, fields={"hub_id": [text]})
    if not COMMIT.fullmatch(revision):
        text = (
            "Enter the full commit hash (40 hexadecimal digits). You find it on the model's page under Files"
            " and versions."
        )
        raise Refused(text, fields={"revision": [text]})
    check_online()
    return _add(project, actor, name=hub_id, kind=BaseModel.Kind.HUB, source=hub_id, revision=revision)


def add_run_base(*, run: Run, actor: User, by_system: bool = False) -> BaseModel:
    """A run's model as a base for another run; a job merges its trained weights into those of its base.
    Adding it twice gives the same one.

    by_system: added by fixed rules, as `launch` has it. Raises PermissionDenied, Conflict (the run hasn't
    succeeded), or Refused (its weights can't be merged).
    """
    require(actor, "training.launch", run)
    check_continuable(run)
    by = None if by_system else actor
    return _add(run.project, by, name=str(run), kind=BaseModel.Kind.RUN, source=str(run.uuid), run=run)


def check_continuable(run: Run) -> None:
    """Raises Conflict for a run that hasn't succeeded, or Refused where its weights can't be merged."""
    if run.state != RunState.SUCCEEDED or run.artifact is None:
        raise Conflict(f"{run} produced no model to start from.", next_step="Choose a run that succeeded.")
    if run.spec["strategy"]["kind"] not in MERGED:
        text = (
            f"{run.get_strategy_display()} doesn't change the base weights, so another run can't start from"
            f" {run}."
        )
        raise Refused(text, next_step="Choose a run that used full fine-tuning, LoRA, IA3, or head only.")


def check_online() -> None:
    """Raise NotReady if downloads are disabled."""
    if settings.HF_HUB_OFFLINE:
        raise NotReady(
            "This installation is offline (HF_HUB_OFFLINE), so models can't be downloaded from the Hugging"
            " Face Hub.",
            next_step=(
                "Copy the model into a folder under BASE_MODEL_DIRS and add the folder, or unset"
                " HF_HUB_OFFLINE."
            ),
        )


@transaction.atomic
def _add(
    project: Project,
    actor: User | None,
    *,
    name: str,
    kind: str,
    source: str,
    revision: str = "",
    run: Run | None = None,
) -> BaseModel:
    """The row, its event, and the import job; for an existing source, only a new job if the files are
    missing.
    """
    if actor is not None:
        require(actor, "training.add_base", project)
    base, created = BaseModel.objects.get_or_create(
        project=project,
        name=name[:120],
        revision=revision,
        defaults={"kind": kind, "source": source, "added_by": actor, "run": run},
    )
    if not created and (base.kind, base.source) != (kind, source):
        raise Conflict(
            f"This project already has a base model called {base.name}.", next_step="Choose another name."
        )
    if created:
        more = {"root_digest": run.artifact.root_digest} if run and run.artifact else {}
        record(
            actor,
            Verb.BASE_MODEL_ADDED,
            base,
            project=project.uuid,
            kind=kind,
            source=source,
            revision=revision,
            **more,
        )
    if base.folder_id is None:
        enqueue(
            "training.keep_base",
            actor=actor,
            project=project,
            args={"base": str(base.uuid)},
            subject=base,
            key=f"base:{base.uuid}",
        )
    return base


def keep_base(base: BaseModel, folder: Path) -> BaseModel:
    """Store the checked files of a base model and its facts. Raises Refused, naming an unacceptable file."""
    known: dict[str, Any] = facts.check_folder(folder, base.name)
    base.folder, base.facts = artifacts.put_folder(folder), known
    base.save(update_fields=["folder", "facts"])
    return base
