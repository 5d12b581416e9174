"""Selecting items of a dataset by any combination of filters from a URL or a slice, in constant memory.

Items are scanned in windows, so that no statement reads a whole table whatever the filters: the first windows
are small, to find frequent matches at once; later ones grow, to find rare ones. A page stops after two
seconds and reports it; the next one continues from there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import QuerySet

from datasets_app.datasets import ports, queries, search
from datasets_app.datasets.models import Dataset, Item
from registry.ground.access.models import User

FIRST, LARGEST = 1_000, 50_000  # items of a window
QUICK = 0.15  # seconds of a window after which the next one grows
PAGE_SECONDS = 2.0
CHUNK = 500  # keys of one statement
END = 2**63 - 1
NOT_OFFERED = "This filter isn't available to your role or in this dataset."
MISSING = "something that no longer exists"


Offered = list[tuple[ports.ItemFilter, ports.Fields]]


class SelectionForm(forms.Form):
    """All fields of the filters that a person may use on a dataset."""

    def __init__(self, offered: Offered, data: Mapping[str, str]) -> None:
        super().__init__(data)
        for _, fields in offered:
            self.fields.update(fields)


@dataclass(frozen=True, slots=True)
class Chip:
    """An active filter. rest: the other filters, as in a URL. problem: why it's invalid; else empty."""

    words: str
    rest: dict[str, str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """The matches in one window: keys in scan order. edge: where the next window begins, None after the
    last.
    """

    keys: list[int]
    edge: int | None


class Selection:
    """Filters on the items of a dataset, for one person.

    given: values by field name, as in a URL; other names are ignored, but in a slice (`whole`) each has to be
    known. filters: the values that are set. problems: by field, why a value is invalid; then no items match.
    """

    def __init__(
        self, dataset: Dataset, viewer: User, given: Mapping[str, str], *, whole: bool = False
    ) -> None:
        self.dataset, self.viewer = dataset, viewer
        given = {
            name: value.strip() for name, value in given.items() if isinstance(value, str) and value.strip()
        }
        self.offered: Offered = [(each, each.fields(dataset, viewer)) for each in ports.item_filters()]
        known = {name for each, _ in self.offered for name in each.names}
        self.filters = {
            name: value for name, value in given.items() if whole or name in known
        } | initial_values(self.offered, given)
        self.form = SelectionForm(self.offered, self.filters)
        self.problems = {name: NOT_OFFERED for name in self.filters if name not in self.form.fields}
        self.problems |= {
            name: " ".join(map(str, errors))
            for name, errors in self.form.errors.items()
            if name in self.filters
        }
        self.values = {name: value for name, value in self.form.cleaned_data.items() if name in self.filters}
        self.query: search.Query | None = next(
            (value for value in self.values.values() if isinstance(value, search.Query)), None
        )

    @property
    def is_valid(self) -> bool:
        """Whether every filter is valid."""
        return not self.problems

    @property
    def chips(self) -> list[Chip]:
        """The active filters, each as text with the filters that remain when it's removed."""
        found, covered = [], set[str]()
        for each, fields in self.offered:
            if own := [name for name in each.names if name in self.filters]:
                covered.update(own)
                words = each.words({name: self.shown(name) for name in own}) if fields else each.title
                found.append(self.chip(own, words))
        return found + [self.chip([name], name) for name in self.filters if name not in covered]

    def chip(self, own: list[str], words: str) -> Chip:
        """One active filter of these fields."""
        rest = {name: value for name, value in self.filters.items() if name not in own}
        return Chip(words, rest, " ".join(self.problems[name] for name in own if name in self.problems))

    @property
    def words(self) -> str:
        """All filters in one line."""
        return "; ".join(chip.words for chip in self.chips)

    def shown(self, name: str) -> str:
        """The value of a field as its page shows it."""
        field, value = self.form.fields[name], self.filters[name]
        if isinstance(field, forms.ModelChoiceField):
            return str(self.values.get(name) or MISSING)
        if isinstance(field, forms.ChoiceField):
            choices: Any = field.choices
            return next((str(label) for key, label in choices if str(key) == value), MISSING)
        return value

    # ── Walking ─────────────────────────────────────────────────────────────
    def page(
        self, *, before: int | None = None, after: int | None = None, size: int = queries.PAGE
    ) -> queries.ItemPage:
        """A page of matching items, newest first. before: only older than this key; after: only newer. Empty
        if a filter is invalid.
        """
        if not self.is_valid:
            return queries.ItemPage([], None, None)
        rows = queries.items(self.dataset).select_related("dataset", "upload")
        if not self.filters:
            return queries.item_page(rows, before=before, after=after, size=size)
        up = after is not None
        start = after + 1 if after is not None else before
        found, edge = self.first(size + 1, up=up, start=start)
        shown = sorted(found[:size], reverse=True)
        here = {item.pk: item for item in rows.filter(pk__in=shown).order_by()} if shown else {}
        more = len(found) > size
        onward = (shown[0] if up else shown[-1]) if more else None
        items = [here[key] for key in shown if key in here]
        if up:
            newer = onward if onward is not None else (edge - 1 if edge is not None else None)
            return queries.ItemPage(
                items, shown[-1] if shown else start, newer, edge is not None and not more
            )
        older = onward if onward is not None else edge
        newer = shown[0] if shown and before is not None else (before - 1 if before is not None else None)
        return queries.ItemPage(items, older, newer, edge is not None and not more)

    def first(
        self, limit: int, *, up: bool = False, start: int | None = None, seconds: float = PAGE_SECONDS
    ) -> tuple[list[int], int | None]:
        """The first matching keys, at most `limit`; and where the scan ran out of time, or None."""
        found: list[int] = []
        until = time.monotonic() + seconds
        for window in self.walk(up=up, start=start, limit=limit):
            found += window.keys[: limit - len(found)]
            if len(found) >= limit or window.edge is None:
                return found, None
            if time.monotonic() > until:
                return found, window.edge
        return found, None

    def walk(
        self, *, up: bool = True, start: int | None = None, limit: int | None = None
    ) -> Iterator[Window]:
        """The matching keys, window by window; none if a filter is invalid.

        up: oldest first. start: the first key to scan when going up; else the first one to skip. limit:
        maximum of keys per window.
        """
        size, at = FIRST, start if start is not None else (0 if up else END)
        while self.is_valid:
            began = time.monotonic()
            edge = self.edge(at, size, up=up)
            far = edge if edge is not None else (END if up else 0)
            low, high = (at, far) if up else (far, at)
            yield Window(self.within(low, high, up=up, limit=limit), edge)
            if edge is None:
                return
            at = edge
            if self.query is not None:
                size = LARGEST  # with few items, the database prefers reading every text to its index
            elif time.monotonic() - began < QUICK:
                size = min(size * 4, LARGEST)

    def edge(self, at: int, size: int, *, up: bool) -> int | None:
        """The end of a window of `size` items: the first key after it going up, its last key going down. None
        if no items follow.
        """
        rows = Item.objects.filter(dataset=self.dataset)
        side = rows.filter(pk__gte=at).order_by("pk") if up else rows.filter(pk__lt=at).order_by("-pk")
        ends = list(side.values_list("pk", flat=True)[size - (0 if up else 1) : size + 1])
        return None if len(ends) < (1 if up else 2) else ends[0]

    def within(self, low: int, high: int, *, up: bool, limit: int | None) -> list[int]:
        """The matching keys from `low` (included) to `high` (excluded)."""
        order = "pk" if up else "-pk"
        if self.query is None:
            keys = (
                self.rows(low, high)
                .filter(pk__gte=low, pk__lt=high)
                .order_by(order)
                .values_list("pk", flat=True)
            )
            return list(keys[:limit] if limit is not None else keys)
        found: list[int] = []
        matching = search.matching(self.dataset.pk, self.query, low, high)
        matching = matching if up else matching[::-1]
        for place in range(0, len(matching), CHUNK):
            some = matching[place : place + CHUNK]
            rows = self.rows(min(some), max(some) + 1).filter(pk__in=some)
            found += rows.order_by(order).values_list("pk", flat=True)
            if limit is not None and len(found) >= limit:
                return found[:limit]
        return found

    def rows(self, low: int, high: int) -> QuerySet[Item]:
        """The visible items with every filter applied but the search."""
        scope = ports.Scope(self.dataset, self.viewer, low, high)
        rows = queries.items(self.dataset)
        for each, fields in self.offered:
            if values := {name: self.values[name] for name in fields if name in self.values}:
                rows = each.apply(rows, values, scope)
        return rows


def initial_values(offered: Offered, given: Mapping[str, str]) -> dict[str, str]:
    """The initial values of fields that are missing while another field of their filter is set."""
    return {
        name: str(field.initial)
        for _, fields in offered
        if any(name in given for name in fields)
        for name, field in fields.items()
        if name not in given and field.initial is not None
    }
