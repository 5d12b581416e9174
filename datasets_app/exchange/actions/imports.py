"""Labels imported with a file: as decisions of the person who accepted the file, or as pre-labels."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet

from datasets_app.datasets.importing.labeling import Labeling
from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.exchange.actions import person_annotations
from datasets_app.prelabels.actions.suggestions import ids_of, suggested_fields
from datasets_app.prelabels.models import Suggestion
from datasets_app.queues import rules
from datasets_app.queues.models.decisions import Decision
from datasets_app.queues.queries.decisions import values_of_items
from datasets_app.schemas.actions.schemas import spec_of, write_schema
from datasets_app.schemas.models.schemas import Label, LabelSchema
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema
from datasets_app.schemas.rules import LabelSpec, check_labels
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types import values
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.inputs import clean
from lifecycle.runtime.task_types.values import stored
from registry.ground.access.models import User
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.verbs import Verb


class Importer:
    """Implements the port `datasets_app.datasets.ports.LabelImporter`, which documents the order of the
    calls.
    """

    def begin(self, upload: Upload, names: Sequence[str]) -> None:
        """Append the names missing from the newest schema, in this order."""
        dataset = (
            Dataset.objects.select_for_update(of=("self",), no_key=True)
            .select_related("project")
            .get(pk=upload.dataset_id)
        )
        latest = latest_schema(dataset)
        labels = [spec_of(label) for label in labels_by_name(latest).values()] if latest else []
        known = {label.name for label in labels}
        if latest is None and not names:
            write_schema(dataset, None, [], "", upload.accepted_by)
        fresh = [name for name in dict.fromkeys(clean(name) for name in names) if name not in known]
        if fresh:
            labels += [LabelSpec(name) for name in fresh]
            check_labels(labels)
            write_schema(dataset, latest, labels, latest.guideline if latest else "", upload.accepted_by)

        if upload.report.get("dry_run", {}).get("people") and upload.labels_as == Upload.Labels.DECISIONS:
            person_annotations.ensure_queue(upload, self.schema(upload))

    def write(self, upload: Upload, rows: Sequence[tuple[Item, Value]]) -> None:
        """Save the labels of one batch of new items."""
        labels = labels_by_name(self.schema(upload))
        ids = ids_of(labels)
        by_item = [(item, by_ids(value, ids)) for item, value in rows]
        if upload.labels_as == Upload.Labels.DECISIONS:
            made = [decision_of(upload, item, value, labels) for item, value in by_item]
            Decision.objects.bulk_create(made, batch_size=500, ignore_conflicts=True)
            return
        suggestions = [
            Suggestion(
                item=item,
                **fields,
                source=Suggestion.Source.IMPORT,
                source_digest=upload.blob.digest,
                source_name=upload.file_name[:120],
            )
            for item, value in by_item
            for fields in suggested_fields(value, by_id(labels))
        ]
        Suggestion.objects.bulk_create(suggestions, batch_size=500, ignore_conflicts=True)

    def write_labeling(self, upload: Upload, rows: Sequence[tuple[Item, Labeling]]) -> None:
        """Import annotations of people as annotations or pre-labels, and predictions as pre-labels."""
        labels = labels_by_name(self.schema(upload))
        stable, ids, made = by_id(labels), ids_of(labels), list[Suggestion]()
        for item, given in rows:
            guesses = [
                ("model", guess.model, guess.model, guess.value, guess.score) for guess in given.guesses
            ]
            if upload.labels_as == Upload.Labels.SUGGESTIONS:
                guesses += [
                    ("person", each.person, f"{each.person}, {upload.file_name}", each.value, None)
                    for each in given.answers
                    if each.value
                ]
            seen = Counter[tuple[str, str]]()
            for kind, name, shown, value, score in guesses:
                seen[kind, name] += 1
                source = hashlib.sha256(
                    f"{upload.blob.digest}:{kind}:{name}:{seen[kind, name]}".encode()
                ).hexdigest()
                for fields in suggested_fields(by_ids(value, ids), stable):
                    made.append(
                        Suggestion(
                            item=item,
                            **fields,
                            score=score,
                            source=Suggestion.Source.IMPORT,
                            source_digest=source,
                            source_name=shown[:120],
                        )
                    )
        Suggestion.objects.bulk_create(made, batch_size=500, ignore_conflicts=True)
        queue = person_annotations.queue_of(upload)
        if queue is not None and any(given.answers for _, given in rows):
            people = person_annotations.people_of(
                upload, sorted({each.person for _, given in rows for each in given.answers})
            )
            imported = [
                person_annotations.ImportedAnnotation(
                    item, people[each.person], each, by_ids(each.value, ids) if each.value else None
                )
                for item, given in rows
                for each in given.answers
            ]
            person_annotations.write_annotations(queue, imported, stable)

    def settle(self, upload: Upload, after: int) -> int | None:
        """Resolve the next batch of items with annotations."""
        queue = person_annotations.queue_of(upload)
        return person_annotations.resolve_batch(queue, after, upload.accepted_by) if queue else None

    def publish(self, dataset: Dataset, actor: User, names: Sequence[str]) -> None:
        """Publish these names as version 1 of the label schema."""
        labels = [LabelSpec(name) for name in names]
        check_labels(labels)
        write_schema(dataset, None, labels, "", actor)

    def accounts(self, dataset: Dataset, people: Sequence[str]) -> dict[str, str]:
        """The account names of those people who have one."""
        return {name: str(user) for name, user in person_annotations.accounts(dataset, people).items()}

    def known_names(self, dataset: Dataset) -> Sequence[str]:
        """The label names of the newest schema version."""
        schema = latest_schema(dataset)
        return list(labels_by_name(schema)) if schema else []

    def withdraw(self, item_ids: Sequence[int]) -> None:
        """Delete the labels of these items; the database allows it only until the upload is imported."""
        Decision.objects.filter(item_id__in=item_ids).delete()
        Suggestion.objects.filter(item_id__in=item_ids).delete()

    def finish(self, upload: Upload) -> None:
        """Record one event with the digest of all decisions of the upload."""
        if upload.labels_as != Upload.Labels.DECISIONS:
            return
        if queue := person_annotations.queue_of(upload):
            person_annotations.record(upload, queue)
        digest, rows = batch_digest(imported(upload).order_by("item_id").values_list("digest", flat=True))
        if rows:
            schema = self.schema(upload)
            ledger.record(
                upload.accepted_by,
                Verb.LABELS_IMPORTED,
                upload,
                project=upload.dataset.project.uuid,
                rows=rows,
                digest=digest,
                file=upload.blob.digest,
                schema=schema.digest,
            )

    def undo(self, upload: Upload, item_ids: Sequence[int]) -> None:
        """Delete the labels of items about to be deleted; the database allows it only until the upload is
        imported.
        """
        Decision.objects.filter(item_id__in=item_ids).delete()
        person_annotations.remove(upload, item_ids)
        Suggestion.objects.filter(item_id__in=item_ids).delete()

    def values_of(self, item_ids: Sequence[int]) -> dict[int, Value]:
        """The resolved labels of these items, or else their pre-labels."""
        return values_of_items(item_ids)

    def schema(self, upload: Upload) -> LabelSchema:
        """The newest schema version of the dataset, which `begin` ensured."""
        return upload.dataset.schemas.order_by("-version")[0]


def imported(upload: Upload) -> QuerySet[Decision]:
    """The decisions imported with an upload, before its items could be labeled in any other way."""
    return Decision.objects.filter(item__upload=upload)


def by_ids(value: Value, ids: dict[str, str]) -> Value:
    """Replace the label names in a file's value by stable ids. ids: by name. Raises Refused for an unknown
    label.
    """
    found = values.rename(value, ids)
    if found is None:
        raise Refused(
            "The file has a label that its dry run didn't find.", next_step="Upload the file again."
        )
    return found


def by_id(labels: dict[str, Label]) -> dict[str, Label]:
    """Labels by stable id."""
    return {str(label.stable_id): label for label in labels.values()}


def decision_of(upload: Upload, item: Item, value: Value, labels: dict[str, Label]) -> Decision:
    """One imported decision, unsaved."""
    by, how, known = upload.accepted_by, Decision.How.IMPORTED, by_id(labels)
    names = {key: label.name for key, label in known.items()}
    digest = rules.decision_digest(
        item=item.digest, value=value, names=names, how=how, by=by.uuid if by else None, supersedes=""
    )
    return Decision(item=item, **stored(value, known), how=how, by=by, digest=digest)


def batch_digest(digests: QuerySet[Any, str]) -> tuple[str, int]:
    """The SHA-256, in hex, over these digests in order, and their number; in constant memory."""
    total, rows = hashlib.sha256(), 0
    for digest in digests.iterator(chunk_size=5_000):
        total.update(bytes.fromhex(digest))
        rows += 1
    return total.hexdigest(), rows
