"""Making a dataset."""

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
    *, project: Project, actor: User, name: str, task: str = types.DEFAULT, description: str = "", language: str = "",
    licence: str = "", slug: str = "", config: str = "",
) -> Dataset:  # fmt: skip
    """Make an empty dataset. task: what an answer about one of its texts is. config: a labeling configuration of Label Studio, whose first
    question takes the place of the task and whose classes are published.

    Raises PermissionDenied, or Refused for an unknown task, a configuration that cannot be read, or a name that is taken or has no letter
    or digit.
    """
    policy.require(actor, "datasets.create", project)
    control = first_question(config) if config.strip() else None
    task = control.task if control else task
    name = " ".join(name.split())
    slug = slugify(slug or name)[:60].strip("-")
    if not slug:
        told = "A name needs at least one letter or digit."
        raise Refused(told, fields={"name": [told]})
    if task not in types.TYPES:
        told = f"{task[:40]!r} isn't a task. Choose one of {', '.join(types.TYPES)}."
        raise Refused(told, fields={"task": [told]})
    dataset = Dataset(
        project=project, name=name[:80], slug=slug, task=task, description=description, language=language[:20], licence=licence[:80],
        created_by=actor,
    )  # fmt: skip
    try:
        with transaction.atomic():
            dataset.save(force_insert=True)
    except IntegrityError as error:
        told = f"{project} already has a dataset named {slug}."
        raise Refused(told, next_step="Choose another name.", fields={"name": [told]}) from error
    ledger.record(actor, Verb.DATASET_CREATED, dataset, project=project.uuid, slug=slug, task=task)
    importer = ports.label_importer()
    if control and control.classes and importer:
        importer.publish(dataset, actor, control.classes)
    return dataset


def first_question(config: str) -> Control:
    """What a configuration asks first. Raises Refused, naming the field."""
    try:
        return label_config.controls(config)[0]
    except label_config.Unreadable as error:
        raise Refused(
            str(error), next_step="Copy the complete labeling configuration from the project settings.", fields={"config": [str(error)]}
        ) from error
