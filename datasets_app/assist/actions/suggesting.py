"""Create and retire labeling functions, and apply them to items that they haven't read yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Substr
from django.utils import timezone

from datasets_app.assist.matching import (
    TEXT_READ,
    Kind,
    Matcher,
    Mode,
    Span,
    clean_pattern,
    function_digest,
    matcher,
)
from datasets_app.assist.measuring import claim
from datasets_app.assist.models.functions import FunctionPass, LabelingFunction
from datasets_app.assist.queries import suggesting
from datasets_app.assist.queries.suggesting import in_force
from datasets_app.datasets.models import Dataset, Upload
from datasets_app.prelabels.actions.suggestions import suggest_values
from datasets_app.prelabels.models import RetiredSource, Suggestion
from datasets_app.prelabels.queries import FUNCTION_NAME, FUNCTIONS_LIMIT
from datasets_app.schemas.models.schemas import Label
from datasets_app.schemas.rules import BATCH
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.runtime.task_types.by_key.suggestions import suggestions_of
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.verbs import Verb

LOOK_UP_EVERY = 100  # items between checks for cancellation
MARKS = 20_000  # spans after which a batch ends, even with few items


@transaction.atomic
def write_function(
    *,
    dataset_id: UUID,
    actor: User,
    name: str,
    label: UUID,
    kind: str,
    pattern: str,
    mode: str = Mode.ANY,
    changes: UUID | None = None,
) -> LabelingFunction:
    """Create a labeling function or its next version; returns the current version if nothing differs. It
    makes no pre-labels until functions are applied.

    label: stable id of a class of the newest version. changes: the version that the author edited. Raises
    PermissionDenied, Refused that names the field (name taken, unknown label, invalid pattern), or Conflict
    (changed or retired in the meantime).
    """
    dataset = locked(dataset_id)
    policy.require(actor, "labeling.manage", dataset)
    if not dataset.task_type.has_labels:
        raise Refused("Labeling functions suggest labels, and this dataset's task has none.")
    before = newest(dataset, changes) if changes else None
    if before and before.retired:
        raise Conflict(f"{before.name} was retired.", next_step="Create a new labeling function.")
    name, pattern = " ".join(name.split())[:80], clean_pattern(kind, pattern)
    mode = mode if kind == Kind.WORDS else Mode.ANY
    chosen = check(dataset, before, name=name, label=label, kind=kind, pattern=pattern, mode=mode)
    values: dict[str, Any] = {
        "name": name,
        "label": chosen.stable_id,
        "kind": kind,
        "pattern": pattern,
        "mode": mode,
    }
    if before and all(getattr(before, field) == value for field, value in values.items()):
        return before
    return append(dataset, before, actor, Verb.FUNCTION_CREATED, **values)


def locked(dataset_id: UUID) -> Dataset:
    """The dataset, with its labeling functions locked until the transaction ends."""
    return (
        Dataset.objects.select_for_update(of=("self",), no_key=True)
        .select_related("project")
        .get(uuid=dataset_id)
    )


def newest(dataset: Dataset, uuid: UUID) -> LabelingFunction:
    """The labeling function with this uuid, which must be its newest version. Raises Refused or Conflict."""
    function = (
        LabelingFunction.objects.select_related("replaced_by").filter(dataset=dataset, uuid=uuid).first()
    )
    if function is None:
        raise Refused("This labeling function doesn't belong to the dataset.", next_step="Reload the page.")
    if hasattr(function, "replaced_by"):
        raise Conflict(
            f"{function.name} was changed while you were editing.",
            next_step="Review its latest version, then make your change again.",
        )
    return function


def check(
    dataset: Dataset,
    before: LabelingFunction | None,
    *,
    name: str,
    label: UUID,
    kind: str,
    pattern: str,
    mode: str,
) -> Label:
    """Validate a labeling function and return its label. Raises Refused, naming the field."""
    problems: dict[str, list[str]] = {}
    if not name:
        problems["name"] = ["Enter a name."]
    if kind not in Kind.values or mode not in Mode.values:
        problems["kind"] = ["Choose what to match."]
    others = in_force().filter(dataset=dataset)
    others = others.exclude(pk=before.pk) if before else others
    if name and others.filter(name=name).exists():
        problems["name"] = [f"{dataset} already has a labeling function named {name}."]
    if before is None and others.count() >= FUNCTIONS_LIMIT:
        problems["name"] = [f"{dataset} has {FUNCTIONS_LIMIT} labeling functions, the maximum."]
    chosen = suggesting.open_labels(dataset).get(label)
    if chosen is None:
        problems["label"] = ["Choose a label of the latest version."]
    if chosen is None or problems:
        raise Refused(
            "The labeling function wasn't saved.", next_step=next(iter(problems.values()))[0], fields=problems
        )
    matcher(kind, pattern, mode)
    return chosen


def append(
    dataset: Dataset,
    before: LabelingFunction | None,
    actor: User,
    verb: Verb,
    *,
    retired: bool = False,
    **values: Any,
) -> LabelingFunction:
    """Save the version after `before` with its event, in the caller's transaction, which holds the dataset's
    lock.
    """
    stable_id, version = (before.stable_id, before.version + 1) if before else (uuid4(), 1)
    digest = function_digest(
        dataset=dataset.uuid,
        stable_id=stable_id,
        version=version,
        label=values["label"],
        kind=values["kind"],
        pattern=values["pattern"],
        mode=values["mode"],
        retired=retired,
    )
    function = LabelingFunction.objects.create(
        dataset=dataset,
        stable_id=stable_id,
        version=version,
        replaces=before,
        retired=retired,
        digest=digest,
        created_by=actor,
        **values,
    )
    if before is not None:
        RetiredSource.objects.create(digest=before.digest)
    ledger.record(
        actor,
        verb,
        function,
        project=dataset.project.uuid,
        dataset=dataset.uuid,
        function=stable_id,
        version=version,
        digest=digest,
        label=function.label,
        kind=function.kind,
    )
    return function


@transaction.atomic
def retire_function(*, function_id: UUID, actor: User) -> LabelingFunction:
    """Retire a labeling function: it makes no more pre-labels and existing ones are hidden but kept. Safe to
    repeat.

    function_id: of its newest version. Raises PermissionDenied or Conflict (changed in the meantime).
    """
    found = LabelingFunction.objects.select_related("dataset").get(uuid=function_id)
    dataset = locked(found.dataset.uuid)
    policy.require(actor, "labeling.manage", dataset)
    if retired := LabelingFunction.objects.filter(stable_id=found.stable_id, retired=True).first():
        return retired
    function = newest(dataset, function_id)
    kept = {name: getattr(function, name) for name in ("name", "label", "kind", "pattern", "mode")}
    return append(dataset, function, actor, Verb.FUNCTION_RETIRED, retired=True, **kept)


# ── Applying ────────────────────────────────────────────────────────────────
@transaction.atomic
def apply_functions(*, dataset_id: UUID, actor: User) -> Job:
    """Start a job that applies all labeling functions to items they haven't read yet; returns the running job
    if there is one.

    Raises PermissionDenied or Refused (no labeling function, nothing new to read).
    """
    dataset = locked(dataset_id)
    policy.require(actor, "labeling.manage", dataset)
    running = suggesting.apply_job(dataset)
    if running and not running.is_finished:
        return running
    found = suggesting.able(suggesting.functions_of(dataset), suggesting.open_labels(dataset))
    if not found:
        raise Refused(
            f"{dataset} has no labeling function for a current label.", next_step="Create one first."
        )
    if not any(suggesting.uploads_to_read(dataset, function).exists() for function in found):
        raise Refused(
            "Every labeling function has been applied to every item.",
            next_step="Import a file, or create another labeling function.",
        )
    job = jobs.enqueue(
        suggesting.APPLY,
        actor=actor,
        project=dataset.project,
        args={"dataset": str(dataset.uuid)},
        subject=dataset,
        key=f"{suggesting.APPLY}:{dataset.uuid}",
    )
    ledger.record(
        actor,
        Verb.FUNCTIONS_APPLIED,
        dataset,
        project=dataset.project.uuid,
        job=job.uuid,
        functions=[function.digest for function in found],
    )
    return job


def run_functions(ctx: JobContext) -> None:
    """Job: apply labeling functions. Each batch commits with its counters, so it can be cancelled and run
    again at any time.
    """
    dataset = Dataset.objects.select_related("project").get(uuid=ctx.args["dataset"])
    found = suggesting.able(suggesting.functions_of(dataset), suggesting.open_labels(dataset))
    state = ctx.job.checkpoint or {
        "scores": scores_of(dataset, found),
        "read": 0,
        "total": suggesting.unread(dataset, suggesting.reach(found)),
    }
    scores: dict[str, float | None] = state["scores"]
    ready = [
        (function, find)
        for function in found
        if function.digest in scores and (find := suggesting.compiled(function))
    ]
    # labeling shows the last suggestion: the best function's
    ready.sort(key=lambda pair: scores[pair[0].digest] or 0.0)
    uploads = {
        upload.pk: upload for function, _ in ready for upload in suggesting.uploads_to_read(dataset, function)
    }
    for _, upload in sorted(uploads.items()):
        while True:
            ctx.raise_if_cancelled()
            read = read_batch(ctx, dataset, upload, ready, state)
            if not read:
                break
            ctx.progress(
                state["read"], max(state["total"], state["read"]), stage="Reading items", unit="items"
            )


def scores_of(dataset: Dataset, found: Sequence[LabelingFunction]) -> dict[str, float | None]:
    """The measured precision of each labeling function by its digest; None if too few of its matches are
    labeled.
    """
    measured = suggesting.measure(dataset, found, seconds=60).measured
    return {function.digest: measured[function.pk].precision for function in found if function.pk in measured}


def read_batch(
    ctx: JobContext,
    dataset: Dataset,
    upload: Upload,
    ready: Sequence[tuple[LabelingFunction, Matcher]],
    state: dict[str, Any],
) -> int:
    """Apply current labeling functions to the next items of an upload, at most 1,000. Returns how many were
    read.
    """
    passes = {
        each.function_id: each
        for each in FunctionPass.objects.filter(
            upload=upload, function__in=[function for function, _ in ready]
        )
    }
    labels = suggesting.open_labels(dataset)  # a label may be retired while the job runs
    live = set(in_force().filter(dataset=dataset).values_list("pk", flat=True))
    open_ = [
        (function, find, passes.get(function.pk) or FunctionPass(function=function, upload=upload))
        for function, find in ready
        if function.pk in live
        and function.label in labels
        and (function.pk not in passes or passes[function.pk].finished_at is None)
    ]
    if not open_:
        return 0
    after = min(each.reached for _, _, each in open_)
    rows = upload.items.filter(pk__gt=after).order_by("id").annotate(head=Substr("text", 1, TEXT_READ))
    items = list(rows.values_list("pk", "head")[:BATCH])
    hits, keys = read_items(ctx, dataset.task, items, open_)
    with transaction.atomic():
        ctx.hold()
        for function, _, each in open_:
            keep(dataset, function, each, keys, hits[function.pk], state["scores"][function.digest])
        state["read"] += len(keys)
        ctx.checkpoint(state)
    return len(keys)


def read_items(
    ctx: JobContext,
    task: str,
    items: Sequence[tuple[int, str]],
    open_: Sequence[tuple[LabelingFunction, Matcher, FunctionPass]],
) -> tuple[dict[int, list[tuple[int, Sequence[Span]]]], list[int]]:
    """(hits: (item, spans) by labeling function, among the items it hasn't read yet; keys of the items read).
    Stops after MARKS spans.
    """
    hits: dict[int, list[tuple[int, Sequence[Span]]]] = {function.pk: [] for function, _, _ in open_}
    keys: list[int] = []
    marked = 0
    for number, (pk, text) in enumerate(items):
        if number % LOOK_UP_EVERY == 0:
            ctx.raise_if_cancelled()
        for function, find, each in open_:
            if (
                pk > each.reached
                and (found := claim(task, find, text, function.label, None)).value is not None
            ):
                hits[function.pk].append((pk, found.marks))
                marked += len(found.marks)
        keys.append(pk)
        if marked >= MARKS:
            break
    return hits, keys


def keep(
    dataset: Dataset,
    function: LabelingFunction,
    each: FunctionPass,
    keys: Sequence[int],
    hits: Sequence[tuple[int, Sequence[Span]]],
    score: float | None,
) -> None:
    """Save one labeling function's pre-labels of a batch, and its progress. keys: the batch's items. hits: as
    from `read_items`.
    """
    source: dict[str, Any] = {
        "source": Suggestion.Source.FUNCTION,
        "source_digest": function.digest,
        "source_name": f"{FUNCTION_NAME}{function.name}",
    }
    if hits:
        of_label = suggestions_of(dataset.task).of_label
        suggest_values(
            dataset=dataset,
            rows=[(pk, of_label(str(function.label), marks, score), score) for pk, marks in hits],
            **source,
        )
    fresh = [pk for pk in keys if pk > each.reached]
    if each.pk is None:
        each.save()
    ended = {} if keys else {"finished_at": timezone.now()}
    FunctionPass.objects.filter(pk=each.pk).update(
        items=F("items") + len(fresh),
        hits=F("hits") + len(hits),
        reached=keys[-1] if fresh else each.reached,
        **ended,
    )
