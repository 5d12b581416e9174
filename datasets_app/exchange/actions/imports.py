"""Annotations that come with a file: decisions that whoever accepted the file answers for, or suggestions that no annotations yet."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet

from datasets_app.datasets.importing.brought import Told
from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.exchange.actions import brought
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
    """Fills the port of the datasets room; see `datasets_app.datasets.ports.LabelImporter` for when each call comes."""

    def begin(self, upload: Upload, names: Sequence[str]) -> None:
        """Make sure that the newest schema holds these names: missing ones are added behind, in this order."""
        dataset = Dataset.objects.select_for_update(of=("self",), no_key=True).select_related("project").get(pk=upload.dataset_id)
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
            brought.open_closed(upload, self.schema(upload))

    def write(self, upload: Upload, rows: Sequence[tuple[Item, Value]]) -> None:
        """Annotations of one batch of new items."""
        labels = labels_by_name(self.schema(upload))
        ids = ids_of(labels)
        said = [(item, by_ids(value, ids)) for item, value in rows]
        if upload.labels_as == Upload.Labels.DECISIONS:
            made = [decision_of(upload, item, value, labels) for item, value in said]
            Decision.objects.bulk_create(made, batch_size=500, ignore_conflicts=True)
            return
        suggestions = [
            Suggestion(
                item=item, **fields, source=Suggestion.Source.IMPORT, source_digest=upload.blob.digest, source_name=upload.file_name[:120]
            )
            for item, value in said
            for fields in suggested_fields(value, by_id(labels))
        ]
        Suggestion.objects.bulk_create(suggestions, batch_size=500, ignore_conflicts=True)

    def bring(self, upload: Upload, rows: Sequence[tuple[Item, Told]]) -> None:
        """Import annotations of people as annotations or pre-labels, and predictions as pre-labels."""
        labels = labels_by_name(self.schema(upload))
        stable, ids, made = by_id(labels), ids_of(labels), list[Suggestion]()
        for item, told in rows:
            guesses = [("model", guess.model, guess.model, guess.value, guess.score) for guess in told.guesses]
            if upload.labels_as == Upload.Labels.SUGGESTIONS:
                guesses += [
                    ("person", each.person, f"{each.person}, {upload.file_name}", each.value, None) for each in told.answers if each.value
                ]
            seen = Counter[tuple[str, str]]()
            for kind, name, shown, value, score in guesses:
                seen[kind, name] += 1
                source = hashlib.sha256(f"{upload.blob.digest}:{kind}:{name}:{seen[kind, name]}".encode()).hexdigest()
                for fields in suggested_fields(by_ids(value, ids), stable):
                    made.append(
                        Suggestion(
                            item=item, **fields, score=score, source=Suggestion.Source.IMPORT, source_digest=source, source_name=shown[:120]
                        )
                    )
        Suggestion.objects.bulk_create(made, batch_size=500, ignore_conflicts=True)
        queue = brought.queue_of(upload)
        if queue is not None and any(told.answers for _, told in rows):
            people = brought.people_of(upload, sorted({each.person for _, told in rows for each in told.answers}))
            said = [
                brought.Say(item, people[each.person], each, by_ids(each.value, ids) if each.value else None)
                for item, told in rows
                for each in told.answers
            ]
            brought.write_answers(queue, said, stable)

    def settle(self, upload: Upload, after: int) -> int | None:
        """The next batch of items with answers."""
        queue = brought.queue_of(upload)
        return brought.settle_batch(queue, after, upload.accepted_by) if queue else None

    def publish(self, dataset: Dataset, actor: User, names: Sequence[str]) -> None:
        """Version 1."""
        labels = [LabelSpec(name) for name in names]
        check_labels(labels)
        write_schema(dataset, None, labels, "", actor)

    def accounts(self, dataset: Dataset, people: Sequence[str]) -> dict[str, str]:
        """Those of these people who have an account here."""
        return {name: str(user) for name, user in brought.accounts(dataset, people).items()}

    def known_names(self, dataset: Dataset) -> Sequence[str]:
        """The names of the newest version."""
        schema = latest_schema(dataset)
        return list(labels_by_name(schema)) if schema else []

    def withdraw(self, item_ids: Sequence[int]) -> None:
        """Delete their labels; the database lets them go only while the upload is not imported."""
        Decision.objects.filter(item_id__in=item_ids).delete()
        Suggestion.objects.filter(item_id__in=item_ids).delete()

    def finish(self, upload: Upload) -> None:
        """One event with the digest of all decisions of the upload."""
        if upload.labels_as != Upload.Labels.DECISIONS:
            return
        if queue := brought.queue_of(upload):
            brought.record(upload, queue)
        digest, rows = batch_digest(imported(upload).order_by("item_id").values_list("digest", flat=True))
        if rows:
            schema = self.schema(upload)
            ledger.record(
                upload.accepted_by, Verb.DECISIONS_IMPORTED, upload, project=upload.dataset.project.uuid, rows=rows, digest=digest,
                file=upload.blob.digest, schema=schema.digest,
            )  # fmt: skip

    def undo(self, upload: Upload, item_ids: Sequence[int]) -> None:
        """Delete the labels of items that are about to be deleted; the database lets them go only while the upload is not imported."""
        Decision.objects.filter(item_id__in=item_ids).delete()
        brought.remove(upload, item_ids)
        Suggestion.objects.filter(item_id__in=item_ids).delete()

    def values_of(self, item_ids: Sequence[int]) -> dict[int, Value]:
        """What is decided, or else suggested, of these items."""
        return values_of_items(item_ids)

    def schema(self, upload: Upload) -> LabelSchema:
        """The newest version of the dataset; `begin` made sure that there is one."""
        return upload.dataset.schemas.order_by("-version")[0]


def imported(upload: Upload) -> QuerySet[Decision]:
    """The decisions that came with an upload, before its items could be labeled otherwise."""
    return Decision.objects.filter(item__upload=upload)


def by_ids(value: Value, ids: dict[str, str]) -> Value:
    """A value of a file, which names labels by name, by their stable ids. ids: by name. Raises Refused for another label."""
    found = values.rename(value, ids)
    if found is None:
        raise Refused("The file has a label that its dry run didn't find.", next_step="Upload the file again.")
    return found


def by_id(labels: dict[str, Label]) -> dict[str, Label]:
    """The classes by their stable ids."""
    return {str(label.stable_id): label for label in labels.values()}


def decision_of(upload: Upload, item: Item, value: Value, labels: dict[str, Label]) -> Decision:
    """One imported decision, not saved yet."""
    by, how, known = upload.accepted_by, Decision.How.IMPORTED, by_id(labels)
    names = {key: label.name for key, label in known.items()}
    digest = rules.decision_digest(item=item.digest, value=value, names=names, how=how, by=by.uuid if by else None, supersedes="")
    return Decision(item=item, **stored(value, known), how=how, by=by, digest=digest)


def batch_digest(digests: QuerySet[Any, str]) -> tuple[str, int]:
    """sha256, in hex, over these digests in their order, and how many there were; in flat memory."""
    total, rows = hashlib.sha256(), 0
    for digest in digests.iterator(chunk_size=5_000):
        total.update(bytes.fromhex(digest))
        rows += 1
    return total.hexdigest(), rows
