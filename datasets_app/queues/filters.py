"""Item filters by labels, annotations, pre-labels, and comments.

Annotators are blind: adjudicators and those who assess people filter by anyone, all others by their own
annotations only.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import connection
from django.db.models import BigIntegerField, ExpressionWrapper, F, QuerySet

from datasets_app.datasets.filters import day, day_range, span_words
from datasets_app.datasets.models import Dataset, Item
from datasets_app.datasets.ports import Fields, ItemFilter, Scope
from datasets_app.prelabels.models import Suggestion
from datasets_app.prelabels.queries import live
from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.decisions import Comment, Decision, Dispute
from datasets_app.queues.queries.decisions import asking, standing, standing_answers
from datasets_app.queues.queries.pages import annotators
from datasets_app.schemas.models.schemas import Label
from datasets_app.schemas.queries.changes import merges_of, with_labels
from datasets_app.schemas.queries.labels import latest_schema
from datasets_app.schemas.relabeling import follow
from registry.ground.access import policy
from registry.ground.access.models import User

Rows = QuerySet[Item]
Values = dict[str, Any]
ANY = ("", "Any")
HOWS = [(how.value, how.label) for how in Decision.How if how != Decision.How.WITHDRAWN]
STATES = [("undecided", "Unlabeled"), ("decided", "Labeled"), ("disputed", "To adjudicate")]
REMARKS = [("flagged", "Flagged"), ("open", "Flagged, open"), ("commented", "With comments")]


def class_choices(dataset: Dataset) -> list[tuple[str, str]]:
    """(stable id, name) of the newest version's labels, in their order; empty for tasks without labels."""
    schema = latest_schema(dataset) if dataset.task_type.has_labels else None
    return (
        [(str(stable), name) for stable, name in schema.labels.values_list("stable_id", "name")]
        if schema
        else []
    )


def sees_annotators(dataset: Dataset, viewer: User) -> bool:
    """Whether the person may know who annotated what: adjudicators, and those who assess annotators."""
    return policy.can(viewer, "labeling.adjudicate", dataset) or policy.can(
        viewer, "labeling.assess", dataset
    )


def naming(rows: QuerySet[Any], dataset: Dataset, stable_id: str) -> QuerySet[Any]:
    """Those of these annotations, decisions, or suggestions that use a label, or one that was merged into
    it.
    """
    merges = merges_of(dataset.pk)
    names = [stable_id, *(str(source) for source in merges if str(follow(source, merges)) == stable_id)]
    if dataset.task_type.one_label:
        labels = list(
            Label.objects.filter(schema__dataset=dataset, stable_id__in=names).values_list("pk", flat=True)
        )
        # its planner would otherwise read all rows of a label again for each window
        if connection.vendor == "sqlite":
            return rows.alias(
                class_key=ExpressionWrapper(F("label_id") + 0, output_field=BigIntegerField())
            ).filter(class_key__in=labels)
        return rows.filter(label__in=labels)
    return with_labels(rows, names)


def seen(rows: QuerySet[Any], scope: Scope) -> QuerySet[Any]:
    """Without the rows of items that a queue asks the viewer about: they must not see these items' labels."""
    return rows.exclude(item__in=scope.of(asking(scope.viewer, scope.dataset)))


# ── Decisions ───────────────────────────────────────────────────────────────
def state_fields(_dataset: Dataset, _viewer: User) -> Fields:
    """Filter by label state."""
    return {"labels": forms.ChoiceField(label="State", choices=[ANY, *STATES], required=False)}


def of_state(rows: Rows, values: Values, scope: Scope) -> Rows:
    """Unlabeled, labeled, or with an open dispute. What is hidden from the viewer is unlabeled to them."""
    if values["labels"] == "disputed":
        return rows.filter(pk__in=scope.of(Dispute.objects.filter(state=Dispute.State.OPEN)))
    decided = scope.of(seen(standing(), scope))
    return rows.exclude(pk__in=decided) if values["labels"] == "undecided" else rows.filter(pk__in=decided)


def decided_fields(dataset: Dataset, _viewer: User) -> Fields:
    """Filter by resolved label, how it was resolved, and when."""
    classes = class_choices(dataset)
    named = (
        {"decided": forms.ChoiceField(label="Label", choices=[ANY, *classes], required=False)}
        if classes
        else {}
    )
    return {
        **named,
        "decided_how": forms.ChoiceField(label="Labeled by", choices=[ANY, *HOWS], required=False),
        "decided_from": day("Labeled from"),
        "decided_until": day("Labeled until"),
    }


def as_decided(rows: Rows, values: Values, scope: Scope) -> Rows:
    """By the current decision, unless it is hidden from the viewer."""
    found = standing().filter(**day_range("created_at", values, "decided_from", "decided_until"))
    if "decided_how" in values:
        found = found.filter(how=values["decided_how"])
    if "decided" in values:
        found = naming(found, scope.dataset, values["decided"])
    return rows.filter(pk__in=scope.of(seen(found, scope)))


def decided_words(shown: dict[str, str]) -> str:
    """Such as "Decided as billing, adjudicated, from 2026-01-01"."""
    first = f"Label {shown['decided']}" if "decided" in shown else "Labeled"
    how = [shown["decided_how"].lower()] if "decided_how" in shown else []
    days = (
        [span_words("", shown, "decided_from", "decided_until").strip()]
        if {"decided_from", "decided_until"} & set(shown)
        else []
    )
    return ", ".join([first, *how, *days])


# ── Answers ─────────────────────────────────────────────────────────────────
def answered_fields(dataset: Dataset, viewer: User) -> Fields:
    """Filter by annotation; for most people only their own."""
    classes = class_choices(dataset)
    named = (
        {"answered": forms.ChoiceField(label="Annotated as", choices=[ANY, *classes], required=False)}
        if classes
        else {}
    )
    if sees_annotators(dataset, viewer):
        people = [(str(user.uuid), str(user)) for user in annotators(dataset)]
        by = forms.ChoiceField(label="Annotated by", choices=[("", "Anyone"), *people], required=False)
    else:
        by = forms.ChoiceField(label="Annotated by", choices=[ANY, (str(viewer.uuid), "you")], required=False)
        by.initial = str(viewer.uuid) if named else None
    return {**named, "answered_by": by}


def as_answered(rows: Rows, values: Values, scope: Scope) -> Rows:
    """By a current annotation."""
    found: QuerySet[Annotation] = (
        standing_answers() if sees_annotators(scope.dataset, scope.viewer) else annotations_of(scope.viewer)
    )
    if "answered_by" in values:
        found = found.filter(user__uuid=values["answered_by"])
    if "answered" in values:
        found = naming(found, scope.dataset, values["answered"])
    return rows.filter(pk__in=scope.of(found))


def annotations_of(viewer: User) -> QuerySet[Annotation]:
    """All annotations of a person not undone, of gold items too: gaps would reveal which items are gold."""
    return Annotation.objects.filter(user=viewer, action=Annotation.Action.LABEL, replaced_by__isnull=True)


def answered_words(shown: dict[str, str]) -> str:
    """Such as "Answered as billing by Ana"."""
    named = f" as {shown['answered']}" if "answered" in shown else ""
    return f"Answered{named}" + (f" by {shown['answered_by']}" if "answered_by" in shown else "")


# ── Suggestions ─────────────────────────────────────────────────────────────
def suggested_fields(dataset: Dataset, _viewer: User) -> Fields:
    """Filter by pre-label: label, type of source, and confidence."""
    classes = class_choices(dataset)
    named = (
        {"suggested": forms.ChoiceField(label="Pre-labeled as", choices=[ANY, *classes], required=False)}
        if classes
        else {}
    )
    return {
        **named,
        "suggested_by": forms.ChoiceField(
            label="Pre-labeled by", choices=[ANY, *Suggestion.Source.choices], required=False
        ),
        "score_from": forms.FloatField(label="Confidence from", required=False, min_value=0, max_value=1),
        "score_to": forms.FloatField(label="Confidence to", required=False, min_value=0, max_value=1),
    }


def as_suggested(rows: Rows, values: Values, scope: Scope) -> Rows:
    """By a pre-label that matches all criteria; without those of outdated labeling functions."""
    limits = {"score_from": "score__gte", "score_to": "score__lte", "suggested_by": "source"}
    found = live(
        Suggestion.objects.filter(**{limits[name]: value for name, value in values.items() if name in limits})
    )
    if "suggested" in values:
        found = seen(naming(found, scope.dataset, values["suggested"]), scope)
    return rows.filter(pk__in=scope.of(found))


def suggested_words(shown: dict[str, str]) -> str:
    """Such as "Suggested as billing by run, confidence 0.5 to 0.7"."""
    named = f" as {shown['suggested']}" if "suggested" in shown else ""
    by = f" by {shown['suggested_by'].lower()}" if "suggested_by" in shown else ""
    sure = (
        f", {span_words('confidence', shown, 'score_from', 'score_to')}"
        if {"score_from", "score_to"} & set(shown)
        else ""
    )
    return f"Suggested{named}{by}{sure}"


# ── Remarks ─────────────────────────────────────────────────────────────────
def remark_fields(_dataset: Dataset, _viewer: User) -> Fields:
    """Filter by flags and comments."""
    return {"remarks": forms.ChoiceField(label="Comments", choices=[ANY, *REMARKS], required=False)}


def remarked(rows: Rows, values: Values, scope: Scope) -> Rows:
    """By flags and comments."""
    found = {
        "flagged": Comment.objects.filter(is_flag=True),
        "open": Comment.objects.filter(is_flag=True, resolved_at=None),
        "commented": Comment.objects.filter(is_flag=False, is_return=False),
    }[values["remarks"]]
    return rows.filter(pk__in=scope.of(found))


FILTERS = (
    ItemFilter("Label state", "Labels", ("labels",), state_fields, of_state, lambda shown: shown["labels"]),
    ItemFilter(
        "Label",
        "Labels",
        ("decided", "decided_how", "decided_from", "decided_until"),
        decided_fields,
        as_decided,
        decided_words,
    ),
    ItemFilter(
        "Annotation", "Labels", ("answered", "answered_by"), answered_fields, as_answered, answered_words
    ),
    ItemFilter(
        "Pre-label",
        "Pre-labels",
        ("suggested", "suggested_by", "score_from", "score_to"),
        suggested_fields,
        as_suggested,
        suggested_words,
    ),
    ItemFilter("Comments", "Labels", ("remarks",), remark_fields, remarked, lambda shown: shown["remarks"]),
)
