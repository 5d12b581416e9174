"""The labeling page, and the requests of its script and plain forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from datasets_app.queues import rules
from datasets_app.queues.actions import answers, claims, comments
from datasets_app.queues.actions.claims import claim
from datasets_app.queues.forms.answers import AnswerForm, RemarkForm, SkipForm, UndoForm
from datasets_app.queues.masks import mask, unmask
from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries import bench as queries
from datasets_app.queues.queries.answers import readable
from datasets_app.queues.queries.bench import FEW, bench_items, hit_rate, last_answer, skipped_open
from datasets_app.queues.queries.gold import GoldResult, gold_result
from datasets_app.queues.queries.pages import get_queue, known_before
from datasets_app.queues.task_types.by_key import widget_of
from datasets_app.queues.views.responses import json_errors, to_bench, wants_json
from datasets_app.schemas.queries.labels import names_in, value_of
from datasets_app.schemas.views.guideline import differences_of, guideline_html
from lifecycle.runtime.refusals import Conflict
from lifecycle.runtime.task_types.values import words
from lifecycle.ui.forms import as_key, cleaned
from lifecycle.ui.toasts import toast
from registry.ground.access import policy
from registry.ground.access.decorators import needs
from registry.ground.access.requests import SignedInRequest

Form = AnswerForm | SkipForm
DIGITS = 10  # keys for labels: 1 to 9, then 0
LIKELY = 5  # labels in the list beside the label map


@require_safe
@never_cache
@needs("labeling.annotate", Queue, see="labeling.view")
def bench(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Show the next items of a queue, leased to the viewer."""
    queue = get_queue(request.user, uuid)
    items, closed = next_items(queue, request, skipped="skipped" in request.GET, page=True)
    return render(request, "datasets_app/queues/bench.html", bench_context(request, queue, items, closed))


def next_items(
    queue: Queue,
    request: SignedInRequest,
    *,
    have: Sequence[int] = (),
    skipped: bool = False,
    page: bool = False,
) -> tuple[list[dict[str, Any]], Conflict | None]:
    """The items the person holds and the page lacks, and the reason if no more are handed out. have: masked
    slots on the page.
    """
    try:
        slots = claim(queue_id=queue.uuid, actor=request.user, skipped=skipped, page=page)
    except Conflict as error:
        return [], error
    return (
        bench_items(queue, [slot for slot in slots if mask(slot.pk, "slot") not in have], request.user),
        None,
    )


def bench_context(
    request: SignedInRequest, queue: Queue, items: list[dict[str, Any]], closed: Conflict | None
) -> dict[str, Any]:
    """The page's context: the first item for plain HTML, the rest as data for the script."""
    labels = list(queue.schema.labels.all())
    by_id = {str(label.uuid): label for label in labels}
    first = items[0] if items else None
    kind, widget = queue.dataset.task_type, widget_of(queue.dataset.task)
    few = len(labels) <= FEW
    scores = dict(first["ranks"]) if first else {}
    shown = LIKELY if kind.labels_texts else DIGITS
    order = (
        list(by_id.values())
        if few
        else [by_id[key] for key in [*scores, *(key for key in by_id if key not in scores)]][:shown]
    )
    last = last_answer(queue, request.user)
    before = known_before(queue, request.user) if first else None
    urls = {
        name: reverse(f"queues:{name}", args=[queue.uuid])
        for name in (
            "submit",
            "skip",
            "undo",
            "heartbeat",
            "release",
            "flag",
            "comment",
            "people",
            "comments",
        )
    }
    return {
        "queue": queue,
        "task": queue.dataset.task,
        "items": items,
        "item": first,
        "labels": labels,
        "few": few,
        "widget": widget,
        "layout": widget.layout(few=few),
        "shown": shown,
        "map": kind.labels_texts and not few,
        "documents": widget.options(labels),
        "guideline": None if kind.has_labels else guideline_html(queue.schema),
        "stage": readable(first["content"]) if first else {},
        "posted": widget.buttons(first) if first else [],
        **widget.fields(first["previous"] if first else None, "", {}),
        "ranks": [
            {"label": label, "score": scores.get(str(label.uuid)), "key": at % DIGITS}
            for at, label in enumerate(order, start=1)
        ],
        "columns": class_map(labels),
        "progress": queries.progress(queue, request.user),
        "last": last,
        "last_words": words(value_of(last), names_in(queue.schema)) if last else "",
        "client_key": uuid4(),
        "undo_key": uuid4(),
        "closed": closed,
        "urls": urls,
        "hits": hit_rate(queue),
        "result": last_result(request, queue),
        "before": before,
        "differences": differences_of(before, queue.schema) if before else [],
        "may_adjudicate": policy.can(request.user, "labeling.adjudicate", queue),
        "skipped": not items and not closed and skipped_open(queue, request.user),
    }


def class_map(labels: list[Any]) -> list[list[tuple[str, list[Any]]]]:
    """The labels under their headings, in schema order, in up to three columns of about the same height.

    Labels without any heading are cut into columns of the same length.
    """
    groups: dict[str, list[Any]] = {}
    for label in labels:
        groups.setdefault(label.group, []).append(label)
    if set(groups) == {""}:
        length = -(-len(labels) // 3)
        return [[("", labels[start : start + length])] for start in range(0, len(labels), length)]
    height = sum(len(group) + 1 for group in groups.values()) / 3
    columns: list[list[tuple[str, list[Any]]]] = [[]]
    filled = 0.0
    for name, group in groups.items():
        if filled + len(group) / 2 > height * len(columns) and len(columns) < 3 and columns[-1]:
            columns.append([])
        columns[-1].append((name, group))
        filled += len(group) + 1
    return columns


def saved(request: SignedInRequest, queue: Queue, data: dict[str, Any], **more: Any) -> HttpResponse:
    """The response after saving: more items once few of the page's five are left, and the queue's
    progress.
    """
    if not wants_json(request):
        return to_bench(queue.uuid)
    few = data["left"] is None or data["left"] < rules.ENOUGH
    items, closed = next_items(queue, request, have=data["have"]) if few else ([], None)
    progress = queries.progress(queue, request.user)
    return JsonResponse(
        {
            "items": items,
            "closed": closed.message if closed else "",
            "done": progress.done,
            "total": progress.total,
            "seconds_left": progress.seconds_left,
            "version": queue.schema.version,
            **more,
        }
    )


@require_POST
@needs("labeling.annotate", Queue, see="labeling.view")
@json_errors
def submit(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Save an annotation."""
    data = cleaned(AnswerForm(request.POST))
    annotation = answers.submit(
        queue_id=uuid,
        actor=request.user,
        slot_id=data["slot"],
        value=data["annotation"],
        client_key=data["client_key"],
        token=data["token"],
        seconds=data["seconds"] or 0,
        prelabel_id=data["prelabel"],
        shown=data["shown"],
    )
    result = gold_result(annotation.queue, annotation)
    if result and not wants_json(request):
        return HttpResponseRedirect(f"{reverse('queues:bench', args=[uuid])}?result={annotation.uuid}")
    more = {"gold": result_data(result)} if result else {}
    return saved(request, annotation.queue, data, annotation=str(annotation.uuid), **more)


def result_data(result: GoldResult) -> dict[str, Any]:
    """The result on gold, for the script."""
    return {
        "right": result.right,
        "given": result.given,
        "known": result.known,
        "explanation": result.explanation,
        "text": result.text,
    }


def last_result(request: SignedInRequest, queue: Queue) -> GoldResult | None:
    """The gold result of the annotation in the URL, for pages without JavaScript."""
    key = as_key(request.GET.get("result", ""))
    if key is None or not queue.gold_feedback:
        return None
    answer = (
        Annotation.objects.filter(queue=queue, user=request.user, uuid=key)
        .select_related("item", "label")
        .first()
    )
    return gold_result(queue, answer) if answer else None


@require_POST
@needs("labeling.annotate", Queue, see="labeling.view")
@json_errors
def skip(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Skip an item."""
    data = cleaned(SkipForm(request.POST))
    passed_on = answers.skip(
        queue_id=uuid,
        actor=request.user,
        slot_id=data["slot"],
        client_key=data["client_key"],
        reason=data["reason"],
        seconds=data["seconds"] or 0,
    )
    return saved(request, passed_on.queue, data)


@require_POST
@needs("labeling.annotate", Queue, see="labeling.view")
@json_errors
def undo(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Undo the newest annotation; its item comes first again."""
    data = cleaned(UndoForm(request.POST))
    undone = answers.undo(queue_id=uuid, actor=request.user, client_key=data["client_key"])
    what = undone_words(undone.annotation)
    if not wants_json(request):
        toast(request, f"Undone: {what}", kind="live")
        return to_bench(uuid)
    queue = get_queue(request.user, uuid)
    items = bench_items(queue, [undone.slot], request.user) if undone.slot else []
    progress = queries.progress(queue, request.user)
    return JsonResponse(
        {"undone": what, "item": items[0] if items else None, "done": progress.done, "total": progress.total}
    )


def undone_words(annotation: Annotation) -> str:
    """What was undone, as text."""
    if annotation.action == Annotation.Action.SKIP:
        return "skip"
    return words(value_of(annotation), names_in(annotation.queue.schema))


@require_POST
@needs("labeling.annotate", Queue, see="labeling.view")
@json_errors
def heartbeat(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Renew the leases of the page's items."""
    return JsonResponse({"held": claims.heartbeat(queue_id=uuid, actor=request.user)})


@require_POST
@needs("labeling.annotate", Queue, see="labeling.view")
@json_errors
def release(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Release the page's items."""
    slots = [
        unmask(int(part), "slot")
        for part in request.POST.get("slots", "").split(",")
        if part.isdecimal() and len(part) < 19
    ]
    tokens = [key for part in request.POST.get("tokens", "").split(",") if (key := as_key(part))]
    return JsonResponse(
        {"released": claims.release(queue_id=uuid, actor=request.user, slot_ids=slots, tokens=tokens)}
    )


@require_POST
@needs("labeling.annotate", Queue, see="labeling.view")
@json_errors
def flag(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Flag an item for review, or remove the flag."""
    data = cleaned(RemarkForm(request.POST))
    on = data["on"] != "no"
    comments.flag(queue_id=uuid, actor=request.user, item_id=data["item"], on=on, text=data["text"])
    return JsonResponse({"flagged": on}) if wants_json(request) else to_bench(uuid)
