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
STATES = [("unlabeled", "Unlabeled"), ("labeled", "Labeled"), ("disputed", "To adjudicate")]
COMMENTED = [("flagged", "Flagged"), ("open", "Flagged, open"), ("commented", "With comments")]


def label_choices(dataset: Dataset) -> list[tuple[str, str]]:
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
    """Those of these annotations, resolved labels, or pre-labels that use a label, or one that was merged
    into it.
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


# ── Resolved labels ───────────────────────────────────────────────────────────────
def state_fields(_dataset: Dataset, _viewer: User) -> Fields:
    """Filter by label state."""
    return {"label_state": forms.ChoiceField(label="State", choices=[ANY, *STATES], required=False)}


def of_state(rows: Rows, values: Values, scope: Scope) -> Rows:
    """Unlabeled, labeled, or with an open dispute. What is hidden from the viewer is unlabeled to them."""
    if values["label_state"] == "disputed":
        return rows.filter(pk__in=scope.of(Dispute.objects.filter(state=Dispute.State.OPEN)))
    decided = scope.of(seen(standing(), scope))
    return (
        rows.exclude(pk__in=decided) if values["label_state"] == "unlabeled" else rows.filter(pk__in=decided)
    )


def label_fields(dataset: Dataset, _viewer: User) -> Fields:
    """Filter by resolved label, how it was resolved, and when."""
    classes = label_choices(dataset)
    named = (
        {"labeled_as": forms.ChoiceField(label="Label", choices=[ANY, *classes], required=False)}
        if classes
        else {}
    )
    return {
        **named,
        "labeled_how": forms.ChoiceField(label="Labeled by", choices=[ANY, *HOWS], required=False),
        "labeled_from": day("Labeled from"),
        "labeled_until": day("Labeled until"),
    }


def by_label(rows: Rows, values: Values, scope: Scope) -> Rows:
    """By the resolved label, unless it is hidden from the viewer."""
    found = standing().filter(**day_range("created_at", values, "labeled_from", "labeled_until"))
    if "labeled_how" in values:
        found = found.filter(how=values["labeled_how"])
    if "labeled_as" in values:
        found = naming(found, scope.dataset, values["labeled_as"])
    return rows.filter(pk__in=scope.of(seen(found, scope)))


def label_words(shown: dict[str, str]) -> str:
    """Such as "Label billing, adjudicated, from 2026-01-01"."""
    first = f"Label {shown['labeled_as']}" if "labeled_as" in shown else "Labeled"
    how = [shown["labeled_how"].lower()] if "labeled_how" in shown else []
    days = (
        [span_words("", shown, "labeled_from", "labeled_until").strip()]
        if {"labeled_from", "labeled_until"} & set(shown)
        else []
    )
    return ", ".join([first, *how, *days])


# ── Annotations ─────────────────────────────────────────────────────────────────
def annotation_fields(dataset: Dataset, viewer: User) -> Fields:
    """Filter by annotation; for most people only their own."""
    classes = label_choices(dataset)
    named = (
        {"annotated_as": forms.ChoiceField(label="Annotated as", choices=[ANY, *classes], required=False)}
        if classes
        else {}
    )
    if sees_annotators(dataset, viewer):
        people = [(str(user.uuid), str(user)) for user in annotators(dataset)]
        by = forms.ChoiceField(label="Annotated by", choices=[("", "Anyone"), *people], required=False)
    else:
        by = forms.ChoiceField(label="Annotated by", choices=[ANY, (str(viewer.uuid), "you")], required=False)
        by.initial = str(viewer.uuid) if named else None
    return {**named, "annotated_by": by}


def by_annotation(rows: Rows, values: Values, scope: Scope) -> Rows:
    """By a current annotation."""
    found: QuerySet[Annotation] = (
        standing_answers() if sees_annotators(scope.dataset, scope.viewer) else annotations_of(scope.viewer)
    )
    if "annotated_by" in values:
        found = found.filter(user__uuid=values["annotated_by"])
    if "annotated_as" in values:
        found = naming(found, scope.dataset, values["annotated_as"])
    return rows.filter(pk__in=scope.of(found))


def annotations_of(viewer: User) -> QuerySet[Annotation]:
    """All annotations of a person not undone, of gold items too: gaps would reveal which items are gold."""
    return Annotation.objects.filter(user=viewer, action=Annotation.Action.LABEL, replaced_by__isnull=True)


def annotation_words(shown: dict[str, str]) -> str:
    """Such as "Annotated as billing by Ana"."""
    named = f" as {shown['annotated_as']}" if "annotated_as" in shown else ""
    return f"Annotated{named}" + (f" by {shown['annotated_by']}" if "annotated_by" in shown else "")


# ── Pre-labels ─────────────────────────────────────────────────────────────
def prelabel_fields(dataset: Dataset, _viewer: User) -> Fields:
    """Filter by pre-label: label, type of source, and confidence."""
    classes = label_choices(dataset)
    named = (
        {"prelabeled_as": forms.ChoiceField(label="Pre-labeled as", choices=[ANY, *classes], required=False)}
        if classes
        else {}
    )
    return {
        **named,
        "prelabeled_by": forms.ChoiceField(
            label="Pre-labeled by", choices=[ANY, *Suggestion.Source.choices], required=False
        ),
        "confidence_from": forms.FloatField(
            label="Confidence from", required=False, min_value=0, max_value=1
        ),
        "confidence_to": forms.FloatField(label="Confidence to", required=False, min_value=0, max_value=1),
    }


def by_prelabel(rows: Rows, values: Values, scope: Scope) -> Rows:
    """By a pre-label that matches all criteria; without those of outdated labeling functions."""
    limits = {"confidence_from": "score__gte", "confidence_to": "score__lte", "prelabeled_by": "source"}
    found = live(
        Suggestion.objects.filter(**{limits[name]: value for name, value in values.items() if name in limits})
    )
    if "prelabeled_as" in values:
        found = seen(naming(found, scope.dataset, values["prelabeled_as"]), scope)
    return rows.filter(pk__in=scope.of(found))


def prelabel_words(shown: dict[str, str]) -> str:
    """Such as "Pre-labeled as billing by run, confidence 0.5 to 0.7"."""
    named = f" as {shown['prelabeled_as']}" if "prelabeled_as" in shown else ""
    by = f" by {shown['prelabeled_by'].lower()}" if "prelabeled_by" in shown else ""
    sure = (
        f", {span_words('confidence', shown, 'confidence_from', 'confidence_to')}"
        if {"confidence_from", "confidence_to"} & set(shown)
        else ""
    )
    return f"Pre-labeled{named}{by}{sure}"


# ── Comments ─────────────────────────────────────────────────────────────────
def comment_fields(_dataset: Dataset, _viewer: User) -> Fields:
    """Filter by flags and comments."""
    return {"comments": forms.ChoiceField(label="Comments", choices=[ANY, *COMMENTED], required=False)}


def by_comment(rows: Rows, values: Values, scope: Scope) -> Rows:
    """By flags and comments."""
    found = {
        "flagged": Comment.objects.filter(is_flag=True),
        "open": Comment.objects.filter(is_flag=True, resolved_at=None),
        "commented": Comment.objects.filter(is_flag=False, is_return=False),
    }[values["comments"]]
    return rows.filter(pk__in=scope.of(found))


FILTERS = (
    ItemFilter(
        "Label state", "Labels", ("label_state",), state_fields, of_state, lambda shown: shown["label_state"]
    ),
    ItemFilter(
        "Label",
        "Labels",
        ("labeled_as", "labeled_how", "labeled_from", "labeled_until"),
        label_fields,
        by_label,
        label_words,
    ),
    ItemFilter(
        "Annotation",
        "Labels",
        ("annotated_as", "annotated_by"),
        annotation_fields,
        by_annotation,
        annotation_words,
    ),
    ItemFilter(
        "Pre-label",
        "Pre-labels",
        ("prelabeled_as", "prelabeled_by", "confidence_from", "confidence_to"),
        prelabel_fields,
        by_prelabel,
        prelabel_words,
    ),
    ItemFilter(
        "Comments", "Labels", ("comments",), comment_fields, by_comment, lambda shown: shown["comments"]
    ),
)
