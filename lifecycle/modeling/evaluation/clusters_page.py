"""The page of error clusters."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

from lifecycle.modeling.evaluation import queries, rules
from lifecycle.modeling.evaluation.models import Analysis, Evaluation
from lifecycle.modeling.evaluation.parts import may_read, thread
from lifecycle.modeling.evaluation.task_types.by_key.pages import page_of
from lifecycle.modeling.evaluation.task_types.by_key.rows import check_groupable
from lifecycle.modeling.evaluation.task_types.page import Line
from lifecycle.runtime.statistics.clusters import distinctive_words
from registry.ground.access.models import User
from registry.ground.access.policy import can

NEAREST = 3  # texts shown per cluster
WORDS_READ = 2_000  # characters of a text considered for distinctive words


@dataclass(frozen=True, slots=True)
class Group:
    """An error cluster. kind, true, predicted: the error in `pair_rows` of its rows, as in `Slip`. words: its
    most distinctive words; empty for users who may not read samples. lines: its texts nearest to the centre.
    """

    number: int
    size: int
    kind: str
    true: str
    predicted: str
    pair_rows: int
    words: list[str]
    lines: list[Line]


def grouped(user: User, evaluation: Evaluation) -> dict[str, Any]:
    """The error clusters of an evaluation, or how to start them; a constant number of queries."""
    check_groupable(evaluation)
    page = page_of(evaluation)
    job = queries.analysis_job(evaluation, Analysis.Kind.CLUSTERS)
    analysis = queries.analysis(evaluation, Analysis.Kind.CLUSTERS)
    errors = rules.errors(evaluation.report)
    return {
        "evaluation": evaluation,
        "thread": thread(evaluation),
        "analysis": analysis,
        "groups": groups(user, evaluation, analysis.report["groups"]) if analysis else [],
        "errors": errors,
        "templates": page.templates,
        "wrong": page.wrong,
        "least": rules.LEAST_ERRORS,
        "too_few": errors < rules.LEAST_ERRORS,
        "job": job,
        "working": job is not None and not job.is_finished,
        "may_ask": can(user, "evaluation.evaluate", evaluation),
        "may_read": may_read(user, evaluation),
    }


def groups(user: User, evaluation: Evaluation, found: list[dict[str, Any]]) -> list[Group]:
    """The clusters with current words and texts, without erased ones."""
    readable = may_read(user, evaluation)
    heads = (
        queries.heads_by_digest(
            evaluation, [digest for group in found for digest in group["items"]], WORDS_READ
        )
        if readable
        else {}
    )
    texts = [[heads[digest] for digest in group["items"] if digest in heads] for group in found]
    words = distinctive_words(texts) if readable else [[] for _ in found]
    page, nearest = page_of(evaluation), [digest for group in found for digest in group["items"][:NEAREST]]
    near = iter(page.lines(user, evaluation, page.rows.of(evaluation, nearest)))
    return [
        Group(
            number,
            len(group["items"]),
            group["kind"],
            group["true"],
            group["predicted"],
            group["pair_rows"],
            words[number - 1],
            list(islice(near, len(group["items"][:NEAREST]))),
        )
        for number, group in enumerate(found, start=1)
    ]
