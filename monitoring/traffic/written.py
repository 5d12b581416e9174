"""How generated responses are written, arm by arm, beside the evaluation of the version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lifecycle.runtime.statistics import intervals
from lifecycle.runtime.statistics.intervals import Interval
from lifecycle.runtime.statistics.verdicts import Verdict, verdict
from lifecycle.runtime.task_types.by_key.measures import NAMED
from monitoring.traffic.queries import Point, Total
from monitoring.traffic.senders import SenderShare, asked_by
from registry.catalog.models import Endpoint, ModelVersion
from registry.catalog.queries import measures
from registry.endpoints.models import Deployment


@dataclass(frozen=True, slots=True)
class Manner:
    """One measure of an arm's written answers. evaluated: on the test split of its version, None where that
    is unknown; verdict: of the difference to it.
    """

    title: str
    meaning: str
    share: SenderShare
    evaluated: Mapping[str, float | None] | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Written:
    """The written answers of one arm. measures: as in `Total.manner`."""

    semver: str
    arm: str
    rows: int
    words: float
    by: str
    measures: list[Manner]


def written(endpoint: Endpoint, points: Sequence[Point]) -> list[Written]:
    """How each arm's answers are written, the live version's first; empty where none writes text."""
    arms: dict[tuple[str, str], Total] = {}
    for point in points:
        for key, counts in point.arms.items():
            if counts.written:
                arms.setdefault(key, Total()).add(counts)
    rows = ModelVersion.objects.filter(model=endpoint.model_id, semver__in=[semver for semver, _ in arms])
    reports = {each.semver: each.evaluation.report for each in rows.select_related("evaluation")}
    found = []
    for (semver, arm), total in sorted(
        arms.items(), key=lambda each: (each[0][1] != Deployment.Arm.STABLE, each[0])
    ):
        evaluated = measures(reports[semver]) if semver in reports else {}
        manner = total.manner
        shares = [manner_of(name, share, evaluated.get(name)) for name, share in manner.items()]
        first = next(iter(manner.values()))
        by = asked_by(first.senders)
        found.append(Written(semver, arm, first.rows, total.mean_words or 0.0, by, shares))
    return found


def manner_of(name: str, share: SenderShare, evaluated: Mapping[str, float | None] | None) -> Manner:
    """A measure beside its value in the evaluation: two independent samples."""
    metric = NAMED[name]
    code = Verdict.NOT_MEASURED
    if evaluated and evaluated["low"] is not None and evaluated["high"] is not None:
        before = Interval(evaluated["value"] or 0.0, evaluated["low"], evaluated["high"])
        now = Interval(share.value, share.low, share.high)
        code = verdict(intervals.difference(now, before), up=not metric.lower_is_better)
    return Manner(metric.title, metric.meaning, share, evaluated, code.value)
