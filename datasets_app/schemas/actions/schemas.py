"""Publishing a version of a dataset's labels and guideline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID, uuid4

from django.db import transaction

from datasets_app.datasets.models import Dataset
from datasets_app.schemas import ports
from datasets_app.schemas.actions.proposals import hold_proposals, take_up
from datasets_app.schemas.models.proposals import GuidelineProposal
from datasets_app.schemas.models.schemas import Label, LabelChange, LabelSchema
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema
from datasets_app.schemas.relabeling import ChangeKind, Gone
from datasets_app.schemas.rules import LabelSpec, check_labels
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.runtime.task_types.inputs import clean
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb


@transaction.atomic
def publish_schema(
    *, dataset_id: UUID, actor: User, labels: Sequence[LabelSpec], guideline: str = "", seen: int | None = None,
    taking_up: Sequence[UUID] = (),
) -> LabelSchema:  # fmt: skip
    """Publish the next version of a dataset's classes and guideline; the present one when nothing differs.

    A class keeps its stable id by name, or by the `stable_id` given with it where it was renamed. seen: the version that the author edited
    (0: none). taking_up: open proposals that the version includes; their authors are notified. Raises PermissionDenied, Refused
    (invalid names; an identical version can't include proposals), or Conflict (a version was published or a proposal answered in the
    meantime).
    """
    dataset = Dataset.objects.select_for_update(of=("self",), no_key=True).select_related("project").get(uuid=dataset_id)
    policy.require(actor, "labeling.manage", dataset)
    labels = [replace(label, name=clean(label.name)) for label in labels]
    check_labels(labels, needed=dataset.task_type.has_labels)
    latest = latest_schema(dataset)
    version = latest.version if latest else 0
    if seen is not None and seen != version:
        raise Conflict(
            f"Version {version} was published while you were editing.", next_step="Review it, then publish your changes on top of it."
        )
    proposals = hold_proposals(dataset, taking_up)
    schema = write_schema(dataset, latest, labels, guideline, actor)
    check_taken_up(proposals, latest, schema)
    take_up(schema, proposals, actor)
    if schema != latest:
        ports.published(schema, actor)
    return schema


def check_taken_up(proposals: Sequence[GuidelineProposal], latest: LabelSchema | None, schema: LabelSchema) -> None:
    """Raises Refused where proposals are taken up by a version from which nothing differs."""
    if proposals and schema == latest:
        told = f"This is identical to version {schema.version}, so it can't include a proposal."
        raise Refused(told, next_step="Add what the proposals ask for, or clear their checkboxes.", fields={"taking_up": [told]})


def write_schema(
    dataset: Dataset,
    latest: LabelSchema | None,
    labels: Sequence[LabelSpec],
    guideline: str,
    actor: User | None,
    gone: Sequence[Gone] = (),
) -> LabelSchema:
    """Write the version after `latest`, in the caller's transaction that holds the dataset's lock; `latest` when nothing differs.

    gone: changes of labels that it lacks; labels without one are retired.
    """
    digest = digest_of({"labels": [label.document() for label in labels], "guideline": guideline})
    if latest and latest.digest == digest:
        return latest
    before = labels_by_name(latest) if latest else {}
    schema = LabelSchema.objects.create(
        dataset=dataset, version=(latest.version if latest else 0) + 1, guideline=guideline, digest=digest, created_by=actor
    )
    known = {label.stable_id for label in before.values()}
    Label.objects.bulk_create(
        Label(
            schema=schema, stable_id=stable_id(label, before, known), name=label.name, group=label.group, definition=label.definition,
            examples=list(label.examples), lookalikes=[dict(each) for each in label.lookalikes], position=position,
        )
        for position, label in enumerate(labels)
    )  # fmt: skip
    note_gone(schema, before, gone)
    names = {label.name for label in labels}
    ledger.record(
        actor, Verb.SCHEMA_PUBLISHED, schema, project=dataset.project.uuid, dataset=dataset.uuid, version=schema.version, digest=digest,
        classes=len(labels), added=len(names - before.keys()), dropped=len(before.keys() - names),
    )  # fmt: skip
    return schema


def note_gone(schema: LabelSchema, before: dict[str, Label], gone: Sequence[Gone]) -> None:
    """Keep where each class went that this version no longer has."""
    now = labels_by_name(schema)
    staying = {label.stable_id for label in now.values()}
    told = {each.source: each for each in gone}
    left = [told.get(label.stable_id, Gone(label.stable_id, label.name, ChangeKind.RETIRE)) for label in before.values()]
    LabelChange.objects.bulk_create(
        LabelChange(
            schema=schema, kind=each.kind, source=each.source, name=each.name, targets=[str(now[name].stable_id) for name in each.into]
        )
        for each in left
        if each.source not in staying
    )


def stable_id(label: LabelSpec, before: dict[str, Label], known: set[UUID]) -> UUID:
    """The id that a class keeps: the one given with it where the version before has it, else that of its name, else a new one."""
    if label.stable_id in known and label.stable_id is not None:
        return label.stable_id
    return before[label.name].stable_id if label.name in before else uuid4()


def spec_of(label: Label) -> LabelSpec:
    """A class as it would be written again."""
    return LabelSpec(
        name=label.name, definition=label.definition, examples=tuple(label.examples), lookalikes=tuple(label.lookalikes),
        group=label.group, stable_id=label.stable_id,
    )  # fmt: skip
