"""An evaluation's rows in groups, by their items' metadata or by facts about the texts, and how the model
does on each group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F
from django.db.models.expressions import Combinable
from django.db.models.functions import Length, Substr

from datasets_app.datasets.filters import metadata_value
from datasets_app.datasets.models import Item
from lifecycle.ground.remembered import cache
from lifecycle.modeling.evaluation import group_words
from lifecycle.modeling.evaluation.grouping import Grouping, grouped
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.parts import may_read
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.statistics import fairness, groups
from lifecycle.runtime.task_types.grouped import Classes, Grouped, Ints
from registry.ground.access.models import User
from registry.ground.ledger.rules import digest_of

BATCH = 1_000
KEPT_SECONDS = 3_600
READ = 200  # maximum characters of a key or value
COLUMNS = 200  # maximum columns offered
FACTS: Mapping[str, tuple[str, Combinable]] = {
    "fact:length": ("Text length (characters)", Length("text")),
    "fact:file": ("Source file", F("upload__file_name")),
}
METADATA = "metadata:"


@dataclass(frozen=True, slots=True)
class Column:
    """A column to slice by. key: its name in URLs."""

    key: str
    name: str


def columns(user: User, evaluation: Evaluation, ids: Sequence[str]) -> list[Column]:
    """Facts of the texts, then the metadata keys of the first 1,000 rows, for users who may read metadata.

    ids: digests of the rows' items. Digests are random, so the first rows are a fair sample.
    """
    facts = [Column(key, name) for key, (name, _) in FACTS.items()]
    if not may_read(user, evaluation):
        return facts
    some = Item.objects.filter(dataset=evaluation.snapshot.dataset_id, digest__in=ids[:BATCH])
    keys = {key for metadata in some.values_list("metadata", flat=True) for key in metadata}
    return [
        *facts,
        *(Column(METADATA + key, key) for key in sorted(key for key in keys if len(key) <= READ)[:COLUMNS]),
    ]


def grouping_of(
    evaluation: Evaluation, column: Column, ids: Sequence[str], *, anew: bool = False
) -> Grouping:
    """Each row's group, cached for an hour, since neither items nor predictions change. anew: computed in any
    case. Raises Refused: too many values.
    """
    key = f"evaluation:grouping:{evaluation.pk}:{digest_of(column.key)}"
    known: Grouping | None = None if anew else cache.get(key)
    if known is None:
        known = grouped(values(evaluation, column, ids))
        cache.set(key, known, KEPT_SECONDS)
    return known


def values(evaluation: Evaluation, column: Column, ids: Sequence[str]) -> list[str | None]:
    """The column's value of each row; None if it has none, or the item is missing."""
    source = (
        FACTS[column.key][1]
        if column.key in FACTS
        else Substr(metadata_value(column.key.removeprefix(METADATA)), 1, READ)
    )
    items = Item.objects.filter(dataset=evaluation.snapshot.dataset_id).annotate(column_value=source)
    found: list[str | None] = []
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        known = dict(items.filter(digest__in=batch).values_list("digest", "column_value"))
        found += [None if known.get(digest) is None else str(known[digest]) for digest in batch]
    return found


def measure_of(rows: Grouped, name: str) -> groups.Quotient:
    """The measure with this name for comparing slices; by default the first. Raises Refused if it doesn't
    exist.
    """
    known = rows.quotients
    if name and name not in known:
        step = f"Choose one of {', '.join(known)}."
        raise Refused(
            f"This evaluation can't be sliced by {name}.", next_step=step, fields={"measure": [step]}
        )
    return known[name] if name else next(iter(known.values()))


def report(
    evaluation: Evaluation,
    rows: Grouped,
    column: Column,
    by: str = "",
    label: str = "",
    *,
    anew: bool = False,
) -> dict[str, Any]:
    """How the model does on each slice, and for a label the fairness between slices, as JSON.

    by: the measure for comparing slices, the task's first by default. Returns {"column", "name", "rows",
    "clusters", "least", "measures": names, "measure": used for comparing, "test": from groups.tested_by,
    "groups": [{"number", "name", "missing", "rows", "counted", "wrong": rows with an error, or null,
    "scores": {measure: {"value", "low", "high"} or null}, "difference", "difference_low", "difference_high",
    "p", "verdict"}], "worst": number of the slice with the lowest score, among those significantly below the
    rest if there are any, or null, "worse": numbers of these, lowest first, "compared": number of slices
    tested against the rest, "fairness": null or from `treated`, "summary": from group_words}. anew: computed
    without the cache. Raises Refused: too many values, no such measure, or no such label.
    """
    compared = measure_of(rows, by)
    if label and (rows.classes is None or label not in rows.classes.labels):
        raise Refused(
            f"The model doesn't know the label {label}.",
            fields={"label": ["Choose a label that the model knows."]},
        )
    grouping = grouping_of(evaluation, column, rows.ids, anew=anew)
    scores = scores_of(evaluation, rows, column, compared, grouping, anew=anew)
    lowest = {
        number: measured.value
        for number, score in enumerate(scores)
        if (measured := score.values[compared.name])
    }
    worse = sorted(
        (number for number, score in enumerate(scores) if score.verdict == "worse"),
        key=lambda number: (lowest[number], number),
    )
    mistakes = (
        [None] * len(scores)
        if rows.wrong is None
        else [int(rows.wrong[grouping.codes == at].sum()) for at in range(len(scores))]
    )
    found = {
        "column": column.key,
        "name": column.name,
        "rows": len(rows.ids),
        "clusters": rows.counted,
        "least": groups.LEAST,
        "measures": [each.name for each in rows.measures],
        "measure": compared.name,
        "test": groups.tested_by(compared),
        "groups": [
            {
                "number": number,
                "name": name,
                "missing": grouping.has_missing and number == len(scores) - 1,
                "wrong": mistakes[number],
            }
            | line(scores[number])
            for number, name in enumerate(grouping.names)
        ],
        "worst": (
            worse[0]
            if worse
            else min(lowest, key=lambda number: (lowest[number], number))
            if len(lowest) > 1
            else None
        ),
        "worse": worse,
        "compared": sum(score.p is not None for score in scores),
        "fairness": treated(rows.classes, grouping, label, rows.clusters) if rows.classes and label else None,
    }
    return found | {"summary": group_words.summary(found)}


def scores_of(
    evaluation: Evaluation,
    rows: Grouped,
    column: Column,
    by: groups.Quotient,
    grouping: Grouping,
    *,
    anew: bool = False,
) -> list[groups.Score]:
    """One per slice, cached for an hour."""
    key = f"evaluation:groups:2:{evaluation.pk}:{by.name}:{digest_of(column.key)}"
    known: list[groups.Score] | None = None if anew else cache.get(key)
    if known is None:
        known = groups.scores(rows.measures, by, grouping.codes, len(grouping.names))
        cache.set(key, known, KEPT_SECONDS)
    return known


def line(score: groups.Score) -> dict[str, Any]:
    """One slice's scores as JSON."""
    found = score.difference
    return {
        "rows": score.rows,
        "counted": score.counted,
        "verdict": score.verdict,
        "p": score.p,
        "scores": {
            name: None if one is None else {"value": one.value, "low": one.low, "high": one.high}
            for name, one in score.values.items()
        },
        "difference": found and found.value,
        "difference_low": found and found.low,
        "difference_high": found and found.high,
    }


def treated(classes: Classes, grouping: Grouping, label: str, clusters: Ints | None) -> dict[str, Any]:
    """Fairness measures for one label between the slices with enough rows. clusters: as in `Grouped`.

    Returns {"label", "measures": [{"name", "value", "low", "high", "most": as in fairness.Gap, "highest",
    "lowest": the two slices}], "rates": [{"number", "rows", "selection", "true_positive",
    "false_positive"}], "left_out": number of slices with too few rows}.
    """
    found = fairness.rates(*classes.of(label), grouping.codes, len(grouping.names), clusters)
    large_enough = [number for number, each in enumerate(found) if each.rows >= groups.LEAST]
    measures = [
        (
            {
                "name": name,
                "value": gap.value,
                "low": gap.interval[0],
                "high": gap.interval[1],
                "most": gap.most,
                "highest": large_enough[gap.high],
                "lowest": large_enough[gap.low],
            }
            if gap
            else {"name": name} | dict.fromkeys(("value", "low", "high", "most", "highest", "lowest"))
        )
        for name, gap in fairness.gaps([found[number] for number in large_enough]).items()
    ]
    rates = [
        {
            "number": number,
            "rows": found[number].rows,
            "selection": found[number].selection,
            "true_positive": found[number].true_positive,
            "false_positive": found[number].false_positive,
        }
        for number in large_enough
    ]
    return {"label": label, "measures": measures, "rates": rates, "left_out": len(found) - len(large_enough)}


def rows_of_group(rows: Grouped, grouping: Grouping, number: int, by: str, *, errors: bool) -> list[int]:
    """The rows of a slice, or only those with an error, worst first."""
    wrong = rows.wrong if errors else None
    return [
        row for row in rows.worst_first(by) if grouping.codes[row] == number and (wrong is None or wrong[row])
    ]
