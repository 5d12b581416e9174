"""Templates over a response, for columns, facts, and sentences."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lifecycle.runtime.cli import classes, find, plans
from lifecycle.runtime.cli.screen import Table, facts, figure, percent, seconds, shown, table
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.watching import SCORES
from lifecycle.runtime.words import things

Row = dict[str, Any]
MISSING: tuple[object, ...] = (None, "", [])
# labels of values; those that requests take are in `operations.json`
VOCABULARY: dict[str, dict[Any, str]] = {
    "score": SCORES,
    "coefficient": {
        "percent": "Pairwise agreement",
        "alpha": "Krippendorff's alpha, nominal",
        "alpha_ordinal": "Krippendorff's alpha, ordinal",
        "alpha_masi": "Krippendorff's alpha, MASI distance",
        "fleiss": "Fleiss' kappa",
        "span_f1": "Span F1, exact",
        "span_f1_overlap": "Span F1, overlapping",
    },
    "mark": {
        "ok": "no drift",
        "watch": "watch",
        "drift": "drift",
        "insufficient": "not enough data",
        "not_measured": "not measured",
        "failed": "failed",
    },
    "monitor": {
        "label": "predicted label",
        "position": "best position",
        "confidence": "confidence",
        "length": "length",
        "oov": "unknown words",
        "density": "span density",
        "span_length": "span length",
        "candidates": "candidates",
        "accuracy": "accuracy",
        "words": "words",
        "meaning": "embeddings",
    },
    "source": {"imported": "annotated items of one upload"},
    "fault": {"error": "fail", "slow": "are slow"},
    "decision": {"continue": "continue", "promote": "widen", "hold": "hold", "rollback": "roll back"},
    "gold list state": {
        "live": "mixed in",
        "suspect": "most annotators get it wrong",
        "new": "no annotations yet",
        "retired": "not gold anymore",
    },
    "on": {True: "on", False: "off"},
}
NAMES: dict[str, Callable[[Session, Row], dict[str, str]]] = {  # names by uuid
    "project": find.slugs,
    "dataset": find.dataset_slugs,
    "endpoint": find.endpoint_names,
    "label": find.label_names,
}
LINE = 100  # characters of a text in a table
FORMATS: dict[str, Callable[[Session, Any], str]] = {
    "%": lambda session, value: percent(value),
    "%2": lambda session, value: percent(value, 2),
    "d": lambda session, value: str(value),
    "g": lambda session, value: f"{value:.4g}" if isinstance(value, float) else str(value),
    "ms": lambda session, value: figure(value, 1, "ms"),
    "s": lambda session, value: seconds(value),
    "line": lambda session, value: line(value),
    "short": lambda session, value: value[: find.SHORT],
    "plainly": lambda session, value: value.replace("_", " "),
    "share": lambda session, value: plans.part(value),
    "page": lambda session, value: session.page(value),
    "version": lambda session, value: session.api.get(f"/versions/{value}/")["semver"],
    "request": lambda session, value: f"request {session.api.get(f'/promotions/{value}/')['number']}",
}


class Text(str):
    """A text of a template, which is shown as it is."""


class Words(string.Formatter):
    """Fills templates: {a.b} is a field at any depth, {a|b|'none'} the first that isn't empty.

    A format is one of FORMATS, VOCABULARY or NAMES, of the labels that requests take, #item to count items,
    or Python's own. known: what arguments refer to, by their names; it wins for {a.b}.
    """

    def __init__(self, session: Session, known: Row, labels: dict[str, dict[Any, str]] | None = None) -> None:
        self.session, self.known = session, known
        given = labels or {}
        self._vocabulary = {
            name: given.get(name, {}) | VOCABULARY.get(name, {}) for name in {*given, *VOCABULARY}
        }
        self._names: dict[str, dict[str, str]] = {}

    def facts(self, columns: str, row: Row) -> Table:
        """A line for each column whose fields aren't all missing."""
        return facts(self.lines(columns, row))

    def lines(self, columns: str, row: Row) -> list[tuple[str, str]]:
        """The same as heads and cells."""
        cells = [
            (head[:1].upper() + head[1:], self.cell(template, row)) for head, template in parsed(columns)
        ]
        return [(head, cell) for head, cell in cells if cell not in ("", "–")]

    def table(self, columns: str, rows: Sequence[Row]) -> Table:
        """A row for each."""
        parts = list(parsed(columns))
        return table(
            [head.upper() for head, _ in parts],
            [[self.cell(template, row) for _, template in parts] for row in rows],
        )

    def tables(self, *parts: tuple[str, Sequence[Row]]) -> list[str | Table]:
        """Those that have rows, each after an empty line."""
        return [part for columns, rows in parts if rows for part in ("", self.table(columns, rows))]

    def cell(self, template: str, row: Row) -> str:
        """A template over a row; a dash where all its fields are missing."""
        fields = [self.get_field(name, (), row)[0] for _, name, _, _ in self.parse(template) if name]
        return (
            "–"
            if fields and all(value is None for value in fields)
            else self.vformat(template, (), row).strip()
        )

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        """A field at any depth; None below one that is empty."""
        *others, last = field_name.split("|")
        for each in others:
            if (value := self.field(each, kwargs, may_miss=True)) not in MISSING:
                return value, field_name
        return self.field(last, kwargs, may_miss=bool(others)), field_name

    def field(self, name: str, row: Row, *, may_miss: bool) -> Any:
        """One of the alternatives, which may be missing."""
        if name.startswith("'"):
            return Text(name[1:-1])
        first, *rest = name.split(".")
        value: Any = self.known if first in self.known and (rest or first not in row) else row
        for part in (first, *rest):
            value = None if value is None else value.get(part) if may_miss else value[part]
        return value

    def format_field(self, value: Any, format_spec: str) -> str:
        """Format a value for people."""
        if isinstance(value, Text):
            return str(value)
        if value in MISSING or not format_spec:
            return shown(value)
        if format_spec in FORMATS:
            return FORMATS[format_spec](self.session, value)
        if format_spec in NAMES:
            return self.called(value, format_spec)
        if format_spec in self._vocabulary:
            return str(self._vocabulary[format_spec].get(value, value))
        return things(value, format_spec[1:]) if format_spec.startswith("#") else format(value, format_spec)

    def called(self, value: Any, kind: str) -> str:
        """The names of one uuid or several."""
        if kind not in self._names:
            self._names[kind] = NAMES[kind](self.session, self.known)
        names = self._names[kind]
        return (
            ", ".join(names.get(each, classes.DROPPED) for each in value)
            if isinstance(value, list)
            else names.get(value, value)
        )


def parsed(columns: str) -> Iterator[tuple[str, str]]:
    """Heads and templates of "HEAD=template; …"; a name alone is its own head."""
    for each in columns.split(";"):
        head, _, template = each.strip().partition("=")
        if head or template:
            yield head, template if "{" in template else f"{{{template or head}}}"


def line(text: str) -> str:
    """The beginning of a text, in one line."""
    text = " ".join(text.split())
    return text[:LINE] + ("…" if len(text) > LINE else "")
