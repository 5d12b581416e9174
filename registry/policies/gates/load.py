"""Gates on a load test of exactly the files that are promoted. The upper end of the interval counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lifecycle.runtime.inference.load_test import LEAST
from lifecycle.runtime.words import things
from lifecycle.ui.numbers import decimals
from registry.policies.gates.evidence import Evidence, Measure
from registry.policies.gates.finding import NOT_RUN, Finding, Gate, Outcome, with_interval


def latency(gate: Gate, evidence: Evidence) -> Finding:
    """The 95th percentile of response times is at most the limit, and no request failed."""
    found, limit = evidence.load, float(gate.settings["at_most_ms"])
    unit = Unit("ms", 1)
    return judged(
        gate, f"95 % of responses within {limit:,g} ms", unit, limit, evidence, found.p95 if found else None
    )


def cost(gate: Gate, evidence: Evidence) -> Finding:
    """A million requests cost at most the limit, by CPU time at the price of a core-hour, and none failed."""
    found, limit = evidence.load, float(gate.settings["at_most_per_million"])
    unit = Unit(found.currency if found else "", 3)
    title = f"A million requests cost at most {limit:,g} {unit.name}".rstrip()
    if found and not found.problem and not found.currency:
        problem = "no price per core-hour is set (PRICE_PER_CORE_HOUR)"
        return gate.found(title, Outcome.FAILED, NOT_RUN.format(problem), threshold=f"≤ {limit:,g}")
    return judged(gate, title, unit, limit, evidence, found.cost if found else None)


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a figure, and its decimal places."""

    name: str
    digits: int

    def write(self, value: float, _digits: int = 0, unlike: Sequence[float] = ()) -> str:
        """A value in this unit."""
        return decimals(value, self.digits, unlike)


def judged(
    gate: Gate, title: str, unit: Unit, limit: float, evidence: Evidence, measure: Measure | None
) -> Finding:
    """The finding on a figure of the load test."""
    found, threshold = evidence.load, f"≤ {unit.write(limit)} {unit.name}"
    problem = ""
    if found is None or found.problem:
        problem = found.problem if found else "there was no load test"
    elif measure is None or measure.high is None:
        problem = f"{things(found.texts, 'test text')} got a response in time, and {LEAST} are needed"
    if problem or found is None or measure is None or measure.high is None:
        return gate.found(title, Outcome.FAILED, NOT_RUN.format(problem), threshold=threshold)
    detail = (
        f"{with_interval(measure, unit.write, (limit,))} {unit.name} in {things(found.requests, 'request')}"
        f" of {things(found.clients, 'client')} with {things(found.texts, 'text')}, for the whole server on"
        " the worker’s machine; the upper end counts."
    )
    if found.failed:
        detail += f" {things(found.failed, 'request')} failed."
    met = measure.high <= limit and not found.failed
    return gate.found(
        title,
        Outcome.PASSED if met else Outcome.FAILED,
        detail,
        value=f"{unit.write(measure.high, unlike=(limit,))} {unit.name}",
        threshold=threshold,
        source=evidence.root,
    )
