"""An evaluation's rows in groups, by what their items' metadata say or by facts of the texts, and how the model answers each group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.core.cache import cache
from django.db.models import F
from django.db.models.expressions import Combinable
from django.db.models.functions import Length, Substr

from datasets_app.datasets.filters import told_in_metadata
from datasets_app.datasets.models import Item
from datasets_app.datasets.queries import may_read
from lifecycle.engine import groups
from lifecycle.engine.groups import Answers
from lifecycle.evaluation import queries, rules
from lifecycle.evaluation.grouping import Grouping, grouped
from lifecycle.evaluation.models import Evaluation
from lifecycle.refusals import Refused
from registry.access.models import User
from registry.ledger.rules import digest_of

BATCH = 1_000
KEPT_SECONDS = 3_600
READ = 200  # characters of a key or a value: what is longer names no group
COLUMNS = 200  # that are offered
FACTS: Mapping[str, tuple[str, Combinable]] = {
    "fact:length": ("Length of the text, in characters", Length("text")),
    "fact:file": ("File that it came in", F("upload__file_name")),
}
METADATA = "metadata:"


@dataclass(frozen=True, slots=True)
class Column:
    """What rows can be grouped by. key: as an address names it."""

    key: str
    name: str


def columns(user: User, evaluation: Evaluation) -> list[Column]:
    """Facts of the texts, then the keys of the metadata of the first 1,000 rows, for those who may read what stands beside a text.

    Rows stand in the order of digests, so these are as good as drawn at random.
    """
    facts = [Column(key, name) for key, (name, _) in FACTS.items()]
    if not may_read(user, evaluation.snapshot.dataset):
        return facts
    some = Item.objects.filter(dataset=evaluation.snapshot.dataset_id, digest__in=queries.answers_of(evaluation).ids[:BATCH])
    keys = {key for metadata in some.values_list("metadata", flat=True) for key in metadata}
    return [*facts, *(Column(METADATA + key, key) for key in sorted(key for key in keys if len(key) <= READ)[:COLUMNS])]


def grouping_of(evaluation: Evaluation, column: Column, answers: Answers) -> Grouping:
    """Each row's group. Read from the items once an hour: neither they nor the answers ever change. Raises Refused: too many values."""
    key = f"evaluation:grouping:{evaluation.pk}:{digest_of(column.key)}"
    known: Grouping | None = cache.get(key)
    if known is None:
        known = grouped(values(evaluation, column, answers))
        cache.set(key, known, KEPT_SECONDS)
    return known


def values(evaluation: Evaluation, column: Column, answers: Answers) -> list[str | None]:
    """What is said of each row; None where nothing is, or the item is gone."""
    told = FACTS[column.key][1] if column.key in FACTS else Substr(told_in_metadata(column.key.removeprefix(METADATA)), 1, READ)
    items = Item.objects.filter(dataset=evaluation.snapshot.dataset_id).annotate(told=told)
    found: list[str | None] = []
    for start in range(0, len(answers.ids), BATCH):
        batch = answers.ids[start : start + BATCH]
        said = dict(items.filter(digest__in=batch).values_list("digest", "told"))
        found += [None if said.get(digest) is None else str(said[digest]) for digest in batch]
    return found


def report(evaluation: Evaluation, column: Column, label: str = "") -> dict[str, Any]:
    """How the model answers each group, and for a label how far groups are treated alike; ready for JSON.

    Returns {"column", "name", "rows", "least", "groups": [{"number", "name", "missing", and the fields of groups.Score, "verdict"}],
    "worst": number of the group with the lowest accuracy, or null, "compared": groups that were tested against the rest, "fairness": null
    or {"label", "measures": [{"name", "value", "low", "high", "highest", "lowest": the two groups}], "rates": [{"number", "rows",
    "selection", "true_positive", "false_positive"}], "left_out": groups with too few rows}}.
    Raises Refused: too many values, or no such label.
    """
    answers = queries.answers_of(evaluation)
    if label and label not in answers.labels:
        raise Refused(f"The model knows no class {label}.", fields={"class": ["Choose a class that the model knows."]})
    grouping = grouping_of(evaluation, column, answers)
    key = f"evaluation:scores:{evaluation.pk}:{digest_of(column.key)}"
    scores: list[groups.Score] | None = cache.get(key)
    if scores is None:
        scores = groups.scores(answers.truth, answers.predicted, grouping.codes, len(grouping.names), classes=len(answers.labels))
        cache.set(key, scores, KEPT_SECONDS)
    told = [number for number, score in enumerate(scores) if score.accuracy is not None]
    return {
        "column": column.key,
        "name": column.name,
        "rows": len(answers.ids),
        "least": groups.LEAST,
        "groups": [
            line(number, name, grouping.has_missing and number == len(scores) - 1, scores[number])
            for number, name in enumerate(grouping.names)
        ],
        "worst": min(told, key=lambda number: (scores[number].accuracy or 0.0, number)) if len(told) > 1 else None,
        "compared": sum(score.p is not None for score in scores),
        "fairness": fairness(answers, grouping, told, label) if label else None,
    }


def line(number: int, name: str, missing: bool, score: groups.Score) -> dict[str, Any]:
    """One group as JSON has it. number: names it in an address."""
    return {
        "number": number, "name": name, "missing": missing, "rows": score.rows, "verdict": score.verdict, "p": score.p,
        **interval("accuracy", score.accuracy, score.accuracy_interval), **interval("macro_f1", score.macro_f1, score.macro_f1_interval),
        **interval("difference", score.difference, score.difference_interval),
    }  # fmt: skip


def interval(name: str, value: float | None, ends: tuple[float, float] | None) -> dict[str, float | None]:
    """A number with its ends beside it."""
    low, high = ends or (None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def fairness(answers: Answers, grouping: Grouping, told: list[int], label: str) -> dict[str, Any]:
    """Fairness measures for one label between the groups that have rows enough."""
    found = groups.rates(answers.truth, answers.predicted, grouping.codes, len(grouping.names), answers.labels.index(label))
    measures = [
        {
            "name": name, "value": gap.value, "low": gap.interval[0], "high": gap.interval[1],
            "highest": told[gap.high], "lowest": told[gap.low],
        }
        if gap else {"name": name} | dict.fromkeys(("value", "low", "high", "highest", "lowest"))
        for name, gap in groups.gaps([found[number] for number in told]).items()
    ]  # fmt: skip
    rates = [
        {
            "number": number, "rows": found[number].rows, "selection": found[number].selection,
            "true_positive": found[number].true_positive, "false_positive": found[number].false_positive,
        }
        for number in told
    ]  # fmt: skip
    return {"label": label, "measures": measures, "rates": rates, "left_out": len(found) - len(told)}


def rows_of_group(answers: Answers, grouping: Grouping, number: int, *, errors: bool) -> list[rules.Answer]:
    """The answers of a group, or only its errors; errors first, the most confident first."""
    wrong = answers.truth != answers.predicted
    inside = np.flatnonzero((grouping.codes == number) & (wrong if errors else True)).tolist()
    order = sorted(inside, key=lambda at: (not wrong[at], -answers.confidence[at], answers.ids[at]))
    return [rules.answer_at(answers, at) for at in order]
