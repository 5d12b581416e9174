"""Publishing a version of a dataset's labels and guideline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID, uuid4

from django.db import transaction

from datasets_app.datasets.models import Dataset
from datasets_app.schemas import ports
from datasets_app.schemas.actions.proposals import include_proposals, lock_proposals
from datasets_app.schemas.models.proposals import GuidelineProposal
from datasets_app.schemas.models.schemas import Label, LabelChange, LabelSchema
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema
from datasets_app.schemas.relabeling import ChangeKind, Removed
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
    *,
    dataset_id: UUID,
    actor: User,
    labels: Sequence[LabelSpec],
    guideline: str = "",
    seen: int | None = None,
    accepting: Sequence[UUID] = (),
) -> LabelSchema:
    """Publish the next version of a dataset's labels and guideline; returns the current one if nothing
    changed.

    A label keeps its stable id by name, or by its `stable_id` if it was renamed. seen: the version that the
    author edited (0: none). accepting: open proposals that the version includes; their authors are notified.
    Raises PermissionDenied, Refused (invalid names; an identical version can't include proposals), or
    Conflict (a version was published or a proposal closed meanwhile).
    """
    dataset = (
        Dataset.objects.select_for_update(of=("self",), no_key=True)
        .select_related("project")
        .get(uuid=dataset_id)
    )
    policy.require(actor, "labeling.manage", dataset)
    labels = [replace(label, name=clean(label.name)) for label in labels]
    check_labels(labels, needed=dataset.task_type.has_labels)
    latest = latest_schema(dataset)
    version = latest.version if latest else 0
    if seen is not None and seen != version:
        raise Conflict(
            f"Version {version} was published while you were editing.",
            next_step="Review it, then publish your changes on top of it.",
        )
    proposals = lock_proposals(dataset, accepting)
    schema = write_schema(dataset, latest, labels, guideline, actor)
    check_included(proposals, latest, schema)
    include_proposals(schema, proposals, actor)
    if schema != latest:
        ports.published(schema, actor)
    return schema


def check_included(
    proposals: Sequence[GuidelineProposal], latest: LabelSchema | None, schema: LabelSchema
) -> None:
    """Raises Refused if proposals are included in an unchanged version."""
    if proposals and schema == latest:
        message = f"This is identical to version {schema.version}, so it can't include a proposal."
        raise Refused(
            message,
            next_step="Add what the proposals ask for, or clear their checkboxes.",
            fields={"accepting": [message]},
        )


def write_schema(
    dataset: Dataset,
    latest: LabelSchema | None,
    labels: Sequence[LabelSpec],
    guideline: str,
    actor: User | None,
    removed: Sequence[Removed] = (),
) -> LabelSchema:
    """Create the version after `latest`, in the caller's transaction with the dataset locked; returns
    `latest` if nothing changed.

    removed: changes of labels that it no longer has; labels without one are retired.
    """
    digest = digest_of({"labels": [label.document() for label in labels], "guideline": guideline})
    if latest and latest.digest == digest:
        return latest
    before = labels_by_name(latest) if latest else {}
    schema = LabelSchema.objects.create(
        dataset=dataset,
        version=(latest.version if latest else 0) + 1,
        guideline=guideline,
        digest=digest,
        created_by=actor,
    )
    known = {label.stable_id for label in before.values()}
    Label.objects.bulk_create(
        Label(
            schema=schema,
            stable_id=stable_id(label, before, known),
            name=label.name,
            group=label.group,
            definition=label.definition,
            examples=list(label.examples),
            lookalikes=[dict(each) for each in label.lookalikes],
            position=position,
        )
        for position, label in enumerate(labels)
    )
    record_removed(schema, before, removed)
    names = {label.name for label in labels}
    ledger.record(
        actor,
        Verb.SCHEMA_PUBLISHED,
        schema,
        project=dataset.project.uuid,
        dataset=dataset.uuid,
        version=schema.version,
        digest=digest,
        classes=len(labels),
        added=len(names - before.keys()),
        dropped=len(before.keys() - names),
    )
    return schema


def record_removed(schema: LabelSchema, before: dict[str, Label], removed: Sequence[Removed]) -> None:
    """Save the change of each label that this version no longer has."""
    now = labels_by_name(schema)
    staying = {label.stable_id for label in now.values()}
    by_source = {each.source: each for each in removed}
    changes = [
        by_source.get(label.stable_id, Removed(label.stable_id, label.name, ChangeKind.RETIRE))
        for label in before.values()
    ]
    LabelChange.objects.bulk_create(
        LabelChange(
            schema=schema,
            kind=each.kind,
            source=each.source,
            name=each.name,
            targets=[str(now[name].stable_id) for name in each.into],
        )
        for each in changes
        if each.source not in staying
    )


def stable_id(label: LabelSpec, before: dict[str, Label], known: set[UUID]) -> UUID:
    """The stable id of a label: its own if the version before has it, else that of its name, else a new
    one.
    """
    if label.stable_id in known and label.stable_id is not None:
        return label.stable_id
    return before[label.name].stable_id if label.name in before else uuid4()


def spec_of(label: Label) -> LabelSpec:
    """The spec of an existing label."""
    return LabelSpec(
        name=label.name,
        definition=label.definition,
        examples=tuple(label.examples),
        lookalikes=tuple(label.lookalikes),
        group=label.group,
        stable_id=label.stable_id,
    )
