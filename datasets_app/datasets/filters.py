"""The filters that this room has for its own items."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.db import connection
from django.db.models import F, Func, QuerySet, TextField, Value
from django.db.models.functions import Length
from django.utils import timezone

from datasets_app.datasets import queries, search
from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.datasets.ports import Fields, ItemFilter, Scope
from datasets_app.datasets.rules import SPLITS, UploadState
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.columns import Role
from registry.ground.access.models import User

Rows = QuerySet[Item]
Values = dict[str, Any]
DAY = timedelta(days=1)
LONGEST = 100_000  # characters of an item


class WordsField(forms.CharField):
    """A full-text search, cleaned to a search.Query."""

    def clean(self, value: Any) -> Any:
        """The query. Raises ValidationError for a query without words to include."""
        text = super().clean(value)
        try:
            return search.parse(text) if text else None
        except Refused as refusal:
            raise forms.ValidationError(refusal.message) from refusal


def day(label: str) -> forms.DateField:
    """A day of the calendar."""
    return forms.DateField(label=label, required=False, widget=forms.DateInput(attrs={"type": "date"}))


def day_range(column: str, values: Values, first: str, last: str) -> dict[str, datetime]:
    """Query conditions for a time between two days, both included, in the site's time zone. first, last:
    names of the fields.
    """
    found = {}
    if values.get(first):
        found[f"{column}__gte"] = midnight(values[first])
    if values.get(last):
        found[f"{column}__lt"] = midnight(values[last] + DAY)
    return found


def midnight(on: date) -> datetime:
    """When a day begins."""
    return timezone.make_aware(datetime.combine(on, time.min))


def span_words(what: str, shown: dict[str, str], first: str, last: str) -> str:
    """Such as "Imported 2026-01-01 to 2026-02-01", or from, or until."""
    ends = [shown[name] for name in (first, last) if name in shown]
    return (
        f"{what} {' to '.join(ends)}"
        if len(ends) == 2
        else f"{what} {'from' if first in shown else 'until'} {ends[0]}"
    )


# ── Words ───────────────────────────────────────────────────────────────────
def search_fields(dataset: Dataset, viewer: User) -> Fields:
    """The search, only for people who may read texts: others could guess texts word by word."""
    example = 'card transfer, "a phrase", -without, begin*'
    field = WordsField(
        label="Search",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": example}),
    )
    return {"q": field} if queries.may_read(viewer, dataset) else {}


def by_search(rows: Rows, _values: Values, _scope: Scope) -> Rows:
    """All rows: the selection queries the full-text index itself."""
    return rows


# ── Columns ─────────────────────────────────────────────────────────────────
def upload_fields(dataset: Dataset, _viewer: User) -> Fields:
    """One of the imported uploads."""
    found = dataset.uploads.filter(state=UploadState.IMPORTED).order_by("-id")
    return {
        "upload": forms.ModelChoiceField(
            found, label="Upload", to_field_name="uuid", required=False, empty_label="Any"
        )
    }


def split_fields(_dataset: Dataset, _viewer: User) -> Fields:
    """Values from the file."""
    choices = [("", "Any"), *((split, split.capitalize()) for split in SPLITS)]
    return {"split": forms.ChoiceField(label="Split in the file", choices=choices, required=False)}


def id_fields(_dataset: Dataset, _viewer: User) -> Fields:
    """The id from the file."""
    return {"external_id": forms.CharField(label="Id, exactly", required=False, max_length=200)}


def group_fields(_dataset: Dataset, _viewer: User) -> Fields:
    """The group from the file."""
    return {"group": forms.CharField(label="Group, exactly", required=False, max_length=200)}


def by_column(rows: Rows, values: Values, _scope: Scope) -> Rows:
    """Fields that are columns of the item."""
    return rows.filter(**values)


def length_fields(_dataset: Dataset, _viewer: User) -> Fields:
    """Characters, both included."""
    return {
        "length_from": forms.IntegerField(
            label="Minimum characters", required=False, min_value=0, max_value=LONGEST
        ),
        "length_to": forms.IntegerField(
            label="Maximum characters", required=False, min_value=0, max_value=LONGEST
        ),
    }


def by_length(rows: Rows, values: Values, _scope: Scope) -> Rows:
    """By the number of Unicode code points."""
    limits = {"length_from": "characters__gte", "length_to": "characters__lte"}
    return rows.alias(characters=Length("text")).filter(
        **{limits[name]: value for name, value in values.items()}
    )


def length_words(shown: dict[str, str]) -> str:
    """Such as 10 to 20 characters."""
    if len(shown) == 2:
        return f"{shown['length_from']} to {shown['length_to']} characters"
    return (
        f"at least {shown['length_from']} characters"
        if "length_from" in shown
        else f"at most {shown['length_to']} characters"
    )


def metadata_fields(dataset: Dataset, viewer: User) -> Fields:
    """A metadata column and its value, only for people who may read metadata."""
    mappings = (
        dataset.uploads.filter(state=UploadState.IMPORTED)
        .order_by("-id")
        .values_list("mapping", flat=True)[:50]
    )
    keys = sorted({key for mapping in mappings for key, role in mapping.items() if role == Role.METADATA})
    if not keys or not queries.may_read(viewer, dataset):
        return {}
    return {
        "metadata_key": forms.ChoiceField(
            label="Metadata", choices=[("", "Any"), *((key, key) for key in keys)], required=False
        ),
        "metadata_value": forms.CharField(label="is exactly", required=False, max_length=200),
    }


def by_metadata(rows: Rows, values: Values, _scope: Scope) -> Rows:
    """By one value of the metadata, or by presence if only the key is given. A value without a key matches
    nothing.
    """
    if "metadata_key" not in values:
        return rows.none()
    found = rows.alias(value=metadata_value(values["metadata_key"])).filter(value__isnull=False)
    return found.filter(value=values["metadata_value"]) if "metadata_value" in values else found


def metadata_value(key: str) -> Func:
    """The metadata's value for a key, which may contain any characters; null if the key is missing."""
    if connection.vendor == "postgresql":
        return Func(F("metadata"), Value(key), function="jsonb_extract_path_text", output_field=TextField())
    # by its key: a JSON path of SQLite can't contain a quotation mark
    found = "(SELECT value FROM json_each(%(expressions)s))"
    return Func(
        F("metadata"), Value(key), template=found, arg_joiner=") WHERE key = (", output_field=TextField()
    )


def metadata_words(shown: dict[str, str]) -> str:
    """Such as channel is mail."""
    key = shown.get("metadata_key", "an unspecified column")
    return f"{key} is {shown['metadata_value']}" if "metadata_value" in shown else f"has {key}"


# ── Days ────────────────────────────────────────────────────────────────────
def event_fields(_dataset: Dataset, _viewer: User) -> Fields:
    """The time from the file."""
    return {"event_from": day("Time in the file, from"), "event_until": day("Time in the file, until")}


def by_event_time(rows: Rows, values: Values, _scope: Scope) -> Rows:
    """On these days."""
    return rows.filter(**day_range("event_time", values, "event_from", "event_until"))


def imported_fields(_dataset: Dataset, _viewer: User) -> Fields:
    """When the upload was imported."""
    return {"imported_from": day("Imported from"), "imported_until": day("Imported until")}


def by_import_day(rows: Rows, values: Values, scope: Scope) -> Rows:
    """Of uploads imported on these days."""
    uploads = Upload.objects.filter(
        dataset=scope.dataset, **day_range("imported_at", values, "imported_from", "imported_until")
    )
    return rows.filter(upload__in=uploads.values("pk"))


def collected_fields(_dataset: Dataset, _viewer: User) -> Fields:
    """Provenance of the upload."""
    return {"collected_from": day("Collected from"), "collected_until": day("Collected until")}


def by_collection_day(rows: Rows, values: Values, scope: Scope) -> Rows:
    """Of uploads whose collection period overlaps these days; uploads without a period are left out."""
    uploads = Upload.objects.filter(dataset=scope.dataset).exclude(collected_from=None, collected_until=None)
    if values.get("collected_from"):
        uploads = uploads.exclude(collected_until__lt=values["collected_from"])
    if values.get("collected_until"):
        uploads = uploads.exclude(collected_from__gt=values["collected_until"])
    return rows.filter(upload__in=uploads.values("pk"))


FILTERS = (
    ItemFilter("Search", "Search", ("q",), search_fields, by_search, lambda shown: f"Search: {shown['q']}"),
    ItemFilter(
        "Upload", "Source", ("upload",), upload_fields, by_column, lambda shown: f"Upload {shown['upload']}"
    ),
    ItemFilter(
        "Split in the file",
        "Source",
        ("split",),
        split_fields,
        by_column,
        lambda shown: f"Split {shown['split']}",
    ),
    ItemFilter(
        "ID", "Source", ("external_id",), id_fields, by_column, lambda shown: f"ID {shown['external_id']}"
    ),
    ItemFilter(
        "Group", "Source", ("group",), group_fields, by_column, lambda shown: f"Group {shown['group']}"
    ),
    ItemFilter(
        "Metadata", "Source", ("metadata_key", "metadata_value"), metadata_fields, by_metadata, metadata_words
    ),
    ItemFilter(
        "Length", "Text and time", ("length_from", "length_to"), length_fields, by_length, length_words
    ),
    ItemFilter(
        "Time in the file",
        "Text and time",
        ("event_from", "event_until"),
        event_fields,
        by_event_time,
        lambda shown: span_words("Time in the file", shown, "event_from", "event_until"),
    ),
    ItemFilter(
        "Imported",
        "Text and time",
        ("imported_from", "imported_until"),
        imported_fields,
        by_import_day,
        lambda shown: span_words("Imported", shown, "imported_from", "imported_until"),
    ),
    ItemFilter(
        "Collected",
        "Text and time",
        ("collected_from", "collected_until"),
        collected_fields,
        by_collection_day,
        lambda shown: span_words("Collected", shown, "collected_from", "collected_until"),
    ),
)
