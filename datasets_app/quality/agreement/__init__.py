"""How far annotators agree beyond chance, and what they probably mean together. Pure; checked against
published examples.

None means: not defined for these data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from datasets_app.quality.agreement.alpha import krippendorff_alpha, masi, nominal
from datasets_app.quality.agreement.consensus import Consensus, dawid_skene
from datasets_app.quality.agreement.intervals import Interval, bootstrap
from datasets_app.quality.agreement.kappa import cohen_interval, cohen_kappa, cohen_of, fleiss_kappa
from datasets_app.quality.agreement.names import NAMES, leading, names
from datasets_app.quality.agreement.spans import span_f1
from datasets_app.quality.agreement.tally import Coefficient, Tally
from datasets_app.quality.agreement.units import FEWEST, Answer, Unit, counts, paired, percent, shared

__all__ = [
    "FEWEST",
    "Agreement",
    "Answer",
    "Coefficient",
    "Consensus",
    "Interval",
    "Tally",
    "Unit",
    "bootstrap",
    "cohen_interval",
    "cohen_kappa",
    "cohen_of",
    "counts",
    "dawid_skene",
    "fleiss_kappa",
    "krippendorff_alpha",
    "leading",
    "masi",
    "names",
    "nominal",
    "paired",
    "percent",
    "shared",
    "span_f1",
    "summarise",
]


@dataclass(frozen=True, slots=True)
class Agreement:
    """The coefficients of one queue. items: units with at least two answers. None: not defined, or too few
    items.

    value: of the coefficient that leads, which `name` names. as_of: when all answers were measured; None
    where this was computed from the newest ones just now.
    """

    items: int
    percent: float | None
    value: float | None
    fleiss: float | None
    cohen: float | None
    as_of: datetime | None = None
    name: str = NAMES["alpha"][0]

    @property
    def too_few(self) -> bool:
        """Whether there are too few items for any coefficient."""
        return self.items < FEWEST


def summarise(units: Sequence[Unit]) -> Agreement:
    """All coefficients that the data allow; Cohen's kappa only between exactly two people, Fleiss' only with
    equal numbers of answers.
    """
    found = shared(units)
    if len(found) < FEWEST:
        return Agreement(len(found), None, None, None, None)
    people = {annotator for unit in found for annotator, _ in unit}
    cohen = cohen_kappa(paired(found)) if len(people) == 2 else None
    return Agreement(
        len(found), percent(found), krippendorff_alpha(found), fleiss_kappa(counts(found)), cohen
    )
