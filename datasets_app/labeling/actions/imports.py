"""Annotations that come with a file: decisions that whoever accepted the file answers for, or suggestions that nobody answered yet."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from datasets_app.datasets.importing.brought import Told
from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.labeling.actions import brought
from datasets_app.labeling.actions.schemas import spec_of, write_schema
from datasets_app.labeling.models import Decision, Label, LabelSchema, Suggestion
from datasets_app.labeling.queries.decisions import labels_by_id, labels_by_name, latest_schema, values_of_items
from datasets_app.labeling.rules import queues as rules
from datasets_app.labeling.rules.schemas import BATCH, LabelSpec, check_labels
from lifecycle.refusals import Refused
from lifecycle.task_types import values
from lifecycle.task_types.answers import BadAnswer, ItemContent, Labels, Value
from lifecycle.task_types.by_key.suggestions import suggestions_of
from lifecycle.task_types.inputs import clean
from lifecycle.task_types.task_type import TaskType
from lifecycle.task_types.values import labels_of, stored, type_in
from registry.access.models import User
from registry.ledger import actions as ledger
from registry.ledger.verbs import Verb


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
        """What is said of one batch of new items."""
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
        """What people said becomes their answers, or suggestions; what models said, suggestions."""
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
    """The decisions that came with an upload, before anybody else could decide its items."""
    return Decision.objects.filter(item__upload=upload)


def ids_of(labels: dict[str, Label]) -> dict[str, str]:
    """The stable ids of these labels by their names."""
    return {name: str(label.stable_id) for name, label in labels.items()}


def by_ids(value: Value, ids: dict[str, str]) -> Value:
    """A value of a file, which names labels by name, by their stable ids. ids: by name. Raises Refused for another label."""
    found = values.rename(value, ids)
    if found is None:
        raise Refused("The file names a label that its dry run didn't find.", next_step="Upload the file again.")
    return found


def by_id(labels: dict[str, Label]) -> dict[str, Label]:
    """The classes by their stable ids."""
    return {str(label.stable_id): label for label in labels.values()}


def suggested_fields(value: Value, labels: Mapping[str, Label]) -> list[dict[str, Any]]:
    """The fields of the suggestions that say this: one for each class of a text, else one for the whole value."""
    return [{"label": labels[key]} for key in labels_of(value)] if type_in(value).labels_texts else [{"value": value}]


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


@transaction.atomic
def suggest(*, dataset: Dataset, rows: Sequence[tuple[int, str, float | None]], source: str, source_digest: str, source_name: str) -> int:
    """Write which classes of texts a source suggests: (item key, label name, score from 0 to 1); otherwise as `suggest_values`."""
    schema, of_label = latest_schema(dataset), suggestions_of(dataset.task).of_label
    ids = ids_of(labels_by_name(schema)) if schema else {}
    values = [(item, of_label(ids[name]), score) for item, name, score in rows[:BATCH] if name in ids]
    return suggest_values(dataset=dataset, rows=values, source=source, source_digest=source_digest, source_name=source_name)


@transaction.atomic
def suggest_values(
    *, dataset: Dataset, rows: Sequence[tuple[int, Value, float | None]], source: str, source_digest: str, source_name: str
) -> int:
    """Write what a run, a rule or a program suggests: (item key, value by stable ids, score from 0 to 1).

    At most 1,000 rows a call; safe twice. A span may carry its own "score". Values that aren't an annotation of their item are left out,
    such as one with a label that the newest schema lacks. Returns how many rows were kept. Where labels aren't of whole texts, a source has
    one value for an item, the first, and others aren't counted.
    """
    kind, schema = dataset.task_type, latest_schema(dataset)
    labels = labels_by_id(schema) if schema else {}
    about = contents(dataset, [item for item, _, _ in rows])
    given = [row for row in rows[:BATCH] if row[0] in about]
    if not kind.labels_texts:
        there = set(Suggestion.objects.filter(item_id__in=about, source_digest=source_digest, label=None).values_list("item_id", flat=True))
        given = list({row[0]: row for row in reversed(given) if row[0] not in there}.values())
    known = Labels({key: key for key in labels})
    kept = [
        Suggestion(item_id=item, **fields, score=score, source=source, source_digest=source_digest, source_name=source_name[:120])
        for item, value, score in given
        if is_answer(kind, value, about[item], known)
        for fields in suggested_fields(value, labels)
    ]
    Suggestion.objects.bulk_create(kept, batch_size=500, ignore_conflicts=True)
    return len(kept)


def contents(dataset: Dataset, keys: Sequence[int]) -> dict[int, ItemContent]:
    """Those of these items that the dataset has, by key; empty where labels are of whole texts, which nobody then needs to read."""
    items = Item.objects.filter(dataset=dataset, pk__in=keys)
    if dataset.task_type.labels_texts:
        return dict.fromkeys(items.values_list("pk", flat=True), ItemContent())
    return {pk: ItemContent(text, content or {}) for pk, text, content in items.values_list("pk", "text", "content")}


def is_answer(kind: TaskType, value: Value, item: ItemContent, labels: Labels) -> bool:
    """Whether somebody could give this answer; scores are no part of it."""
    try:
        kind.answers.parse(suggestions_of(kind.key).unscored(value), item, labels)
    except BadAnswer:
        return False
    return True
