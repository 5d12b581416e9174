"""Creating a dataset."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from datasets_app.datasets import ports
from datasets_app.datasets.importing import label_config
from datasets_app.datasets.importing.label_config import Control
from datasets_app.datasets.models import Dataset
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.by_key import types
from registry.ground.access import policy
from registry.ground.access.models import Project, User
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.verbs import Verb


@transaction.atomic
def create_dataset(
    *,
    project: Project,
    actor: User,
    name: str,
    task: str = types.DEFAULT,
    description: str = "",
    language: str = "",
    licence: str = "",
    slug: str = "",
    config: str = "",
) -> Dataset:
    """Create an empty dataset. config: a Label Studio labeling configuration; its first question overrides
    the task, and its labels are published.

    Raises PermissionDenied, or Refused for an unknown task, an unreadable configuration, or a name that is
    taken or has no letter or digit.
    """
    policy.require(actor, "datasets.create", project)
    control = first_question(config) if config.strip() else None
    task = control.task if control else task
    name = " ".join(name.split())
    slug = slugify(slug or name)[:60].strip("-")
    if not slug:
        message = "A name needs at least one letter or digit."
        raise Refused(message, fields={"name": [message]})
    if task not in types.TYPES:
        message = f"{task[:40]!r} isn't a task. Choose one of {', '.join(types.TYPES)}."
        raise Refused(message, fields={"task": [message]})
    dataset = Dataset(
        project=project,
        name=name[:80],
        slug=slug,
        task=task,
        description=description,
        language=language[:20],
        licence=licence[:80],
        created_by=actor,
    )
    try:
        with transaction.atomic():
            dataset.save(force_insert=True)
    except IntegrityError as error:
        message = f"{project} already has a dataset named {slug}."
        raise Refused(message, next_step="Choose another name.", fields={"name": [message]}) from error
    ledger.record(actor, Verb.DATASET_CREATED, dataset, project=project.uuid, slug=slug, task=task)
    importer = ports.label_importer()
    if control and control.classes and importer:
        importer.publish(dataset, actor, control.classes)
    return dataset


def first_question(config: str) -> Control:
    """The first question of a configuration. Raises Refused, naming the field."""
    try:
        return label_config.controls(config)[0]
    except label_config.Unreadable as error:
        raise Refused(
            str(error),
            next_step="Copy the complete labeling configuration from the project settings.",
            fields={"config": [str(error)]},
        ) from error
