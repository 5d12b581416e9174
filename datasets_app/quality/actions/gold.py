"""Gold items: items with a known label, which measure annotators' accuracy."""

from __future__ import annotations

import random
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from datasets_app.datasets.models import Dataset, Item
from datasets_app.datasets.rules import UploadState
from datasets_app.quality.queries.gold import answers_to
from datasets_app.queues import rules
from datasets_app.queues.actions.settling import value_digest
from datasets_app.queues.models.decisions import Decision
from datasets_app.queues.models.gold import Gold
from datasets_app.queues.queries.decisions import standing
from datasets_app.queues.queries.gold import gold_of, live_gold
from datasets_app.queues.rules import NO_GOLD
from datasets_app.schemas.models.schemas import Label
from datasets_app.schemas.queries.changes import accepted_labels, classes_now
from datasets_app.schemas.queries.labels import labels_by_id, latest_schema, value_of
from datasets_app.schemas.rules import BATCH, through
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types import values
from lifecycle.runtime.task_types.answers import ItemContent, Value
from lifecycle.runtime.task_types.values import stored
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb

EXPLANATION = 1_000
SAMPLE_FROM = 50_000  # newest decisions among which gold is drawn
PER_LABEL = 50


@transaction.atomic
def make_gold(*, item_id: UUID, actor: User, value: Value, explanation: str = "") -> Gold:
    """Make an item a gold item; queues of its dataset that use gold then mix it in.

    value: as in `submit`, its classes those of the dataset's newest schema. explanation: shown with gold
    results.
    A different value or explanation replaces the old one, and earlier annotations are re-scored; repeating a
    call changes nothing. Raises PermissionDenied, or Refused (no such item, a task without gold, an invalid
    value).
    """
    item = (
        Item.objects.select_for_update(of=("self",), no_key=True)
        .select_related("dataset__project")
        .filter(uuid=item_id)
        .first()
    )
    if item is None:
        raise Refused("Item not found.", next_step="Reload the page.")
    policy.require(actor, "labeling.gold", item)
    if item.upload.state != UploadState.IMPORTED:
        raise Refused("Item not found.", next_step="Reload the page.")
    labels = check_dataset(item.dataset)
    known, explanation = read_known(item, value, labels), checked(explanation)
    old = live_gold().filter(item=item).select_related("label").first()
    if old and value_of(old) == known and old.explanation == explanation:
        return old
    if old:
        end(old, actor)
    gold = write_gold([(item, known)], labels=labels, by=actor, explanation=explanation)[0]
    rescore(gold)
    payload = {"item": item.digest, "value": value_digest(known), "replaces": old.uuid if old else None}
    ledger.record(
        actor, Verb.GOLD_SET, gold, project=item.dataset.project.uuid, dataset=item.dataset.uuid, **payload
    )
    return gold


def check_dataset(dataset: Dataset) -> dict[str, Label]:
    """The labels of a dataset by stable id. Raises Refused for tasks without gold."""
    if not dataset.task_type.has_gold:
        raise Refused(NO_GOLD)
    schema = latest_schema(dataset)
    return labels_by_id(schema) if schema else {}


def checked(explanation: str) -> str:
    """The explanation without blanks around it. Raises Refused."""
    explanation = explanation.strip()
    if len(explanation) > EXPLANATION:
        message = f"The explanation has {len(explanation):,} characters; the limit is {EXPLANATION:,}."
        raise Refused(message, fields={"explanation": [message]})
    return explanation


def read_known(item: Item, value: Value, labels: Mapping[str, Label]) -> Value:
    """The gold value in canonical form. Raises Refused for an invalid value."""
    accepted = accepted_labels(item.dataset_id, value, labels)
    return item.dataset.task_type.answers.parse(value, ItemContent(item.text, item.content or {}), accepted)


def write_gold(
    rows: Sequence[tuple[Item, Value]], *, labels: Mapping[str, Label], by: User, explanation: str = ""
) -> list[Gold]:
    """Save up to 1,000 items as gold, in the caller's transaction; the caller checks permissions, and that
    none is gold.

    rows: items with canonical values. labels: those that the values use, by stable id. Imports save gold for
    items that aren't visible yet; it's drawn once they are. Records no event.
    """
    made = [
        Gold(
            dataset_id=item.dataset_id,
            item=item,
            **stored(value, labels),
            explanation=explanation,
            set_by=by,
            place=secrets.randbelow(rules.GOLD_PLACES),
        )
        for item, value in rows
    ]
    return Gold.objects.bulk_create(made)


def rescore(gold: Gold) -> None:
    """Recount the item's gold annotations by its current gold label."""
    now, known = classes_now(gold.dataset_id), value_of(gold)
    values = [value_of(answer) for answer in answers_to(gold.item)]
    gold.asked, gold.right = len(values), sum(rules.is_right(each, known, now) for each in values)
    gold.save(update_fields=["asked", "right"])


def end(gold: Gold, actor: User) -> None:
    """Retire a gold item."""
    gold.retired_at, gold.retired_by = timezone.now(), actor
    gold.save(update_fields=["retired_at", "retired_by"])


@transaction.atomic
def retire_gold(*, item_id: UUID, actor: User) -> Gold | None:
    """Retire a gold item: it's no longer mixed in, and its annotations don't count from the next measurement.
    None if it wasn't gold.

    Raises PermissionDenied.
    """
    item = Item.objects.select_related("dataset__project").get(uuid=item_id)
    policy.require(actor, "labeling.gold", item)
    gold = live_gold().select_for_update(of=("self",)).filter(item=item).first()
    if gold is None:
        return None
    end(gold, actor)
    payload = {"item": item.digest, "asked": gold.asked, "right": gold.right}
    ledger.record(
        actor,
        Verb.GOLD_REMOVED,
        gold,
        project=item.dataset.project.uuid,
        dataset=item.dataset.uuid,
        **payload,
    )
    return gold


@transaction.atomic
def make_golds(
    *, dataset_id: UUID, actor: User, rows: Sequence[tuple[Item, Value]], explanation: str = ""
) -> list[Gold]:
    """Make up to 1,000 items of a dataset gold at once; those that already are stay unchanged. Returns the
    new gold.

    rows: items and values as in `make_gold`. One event records them all by a digest. Raises PermissionDenied
    or Refused.
    """
    dataset = (
        Dataset.objects.select_for_update(of=("self",), no_key=True)
        .select_related("project")
        .get(uuid=dataset_id)
    )
    policy.require(actor, "labeling.gold", dataset)
    if len(rows) > BATCH:
        raise Refused(
            f"{len(rows):,} items are too many at once.",
            next_step=f"Add at most {BATCH:,} gold items at a time.",
        )
    labels, explanation = check_dataset(dataset), checked(explanation)
    found = {item.pk: item for item, _ in rows}
    visible = Item.objects.filter(pk__in=found, dataset=dataset, upload__state=UploadState.IMPORTED)
    if len(found) < len(rows) or visible.count() < len(found):
        raise Refused("Some items are listed twice or aren't in the dataset.", next_step="Reload the page.")
    for item in found.values():
        item.dataset = dataset
    are = gold_of(found)
    fresh = [(item, read_known(item, value, labels)) for item, value in rows if item.pk not in are]
    made = write_gold(fresh, labels=labels, by=actor, explanation=explanation)
    if made:
        batch = digest_of([[item.digest, value_digest(value)] for item, value in fresh])
        ledger.record(
            actor, Verb.GOLD_SAMPLED, dataset, project=dataset.project.uuid, items=len(made), batch=batch
        )
    return made


def sample_gold(*, dataset_id: UUID, actor: User, per_label: int, imported: bool = False) -> list[Gold]:
    """Make randomly drawn adjudicated items gold, until each label has `per_label` gold items, existing ones
    included.

    per_label: 1 to 50; for tasks without labels, of all items. imported: whether to include imported labels.
    Items are drawn from the newest 50,000 decisions of the dataset. Returns the new gold. Raises
    PermissionDenied or Refused.
    """
    dataset = Dataset.objects.get(uuid=dataset_id)
    policy.require(actor, "labeling.gold", dataset)
    labels = check_dataset(dataset)
    if not 1 <= per_label <= PER_LABEL:
        message = f"The number per label must be between 1 and {PER_LABEL}, not {per_label}."
        raise Refused(message, fields={"per_label": [message]})
    how = [Decision.How.ADJUDICATED, *([Decision.How.IMPORTED] if imported else [])]
    return make_golds(dataset_id=dataset_id, actor=actor, rows=drawn(dataset, labels, how, per_label))


def drawn(
    dataset: Dataset, labels: Mapping[str, Label], how: Sequence[str], per_label: int
) -> list[tuple[Item, Value]]:
    """Random labeled items, so that no label has more than `per_label` gold items, except by items with
    several labels; at most 1,000.
    """
    rows = (
        standing()
        .filter(item__dataset=dataset, how__in=how, item__upload__state=UploadState.IMPORTED)
        .order_by("-id")
    )
    now = classes_now(dataset.pk)
    decided = [
        (item, through({"label": str(label)} if label else value or {}, now))
        for item, label, value in rows.values_list("item_id", "label__stable_id", "value")[:SAMPLE_FROM]
    ]
    live = live_gold().filter(dataset=dataset).select_related("label")
    are = {gold.item_id: through(value_of(gold), now) for gold in live}
    counts = Counter(key for value in are.values() for key in kinds(value))
    random.SystemRandom().shuffle(decided)
    chosen: dict[int, Value] = {}
    for item, value in decided:
        wanted = all(key in labels for key in values.labels_of(value)) and any(
            counts[key] < per_label for key in kinds(value)
        )
        if item in are or not wanted:
            continue
        chosen[item] = value
        counts.update(kinds(value))
        if len(chosen) == BATCH:
            break
    found = Item.objects.in_bulk(list(chosen))
    return [(found[pk], value) for pk, value in chosen.items()]


def kinds(value: Value) -> set[str]:
    """The labels in a value; {""} without any."""
    return set(values.labels_of(value)) or {""}
