"""What was found about a version, as the gates read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lifecycle.runtime.statistics.intervals import Interval
from lifecycle.runtime.task_types.by_key.types import DEFAULT
from lifecycle.ui.numbers import count


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric with its 95 % interval; low and high are None where the interval was not computed."""

    value: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, found: Interval) -> Measure:
        """The same."""
        return cls(found.value, found.low, found.high)


@dataclass(frozen=True, slots=True)
class Live:
    """The version that is live. name: its semver, "" when nothing is live yet.

    differences: this version minus the live one, paired, by metric. problem: why there are none although
    something is live, and what to do. clusters: groups of near duplicates that the rows come in;
    effective_clusters: as how many of one size they count. None where each row is one of its own, or no one
    counted. labels, rarest: how many labels the rows have, and how many rows the rarest of them; 0: unknown.
    """

    name: str = ""
    differences: Mapping[str, Measure] = field(default_factory=dict)
    rows: int = 0
    problem: str = ""
    source: str = ""
    clusters: int | None = None
    effective_clusters: float | None = None
    labels: int = 0
    rarest: int = 0

    def independent(self, metric: str) -> float:
        """The effective number of independent rows, at least. A score to which each label adds equally may
        fall by the rarest label alone: of such, the number of rows if all labels had that few.
        """
        known = float(self.rows) if self.effective_clusters is None else self.effective_clusters
        return known * self.evenness if metric == "macro_f1" else known

    @property
    def evenness(self) -> float:
        """The rows that there were if all labels had as few as the rarest, of all rows; 1 where no one
        counted.
        """
        return min(1.0, self.labels * self.rarest / self.rows) if self.rarest else 1.0

    @property
    def counted(self) -> str:
        """200 test rows; 200 test rows in 40 groups of near duplicates."""
        return f"{count(self.rows)} test rows" + (
            "" if self.clusters is None else f" in {count(self.clusters)} groups of near duplicates"
        )


@dataclass(frozen=True, slots=True)
class Robustness:
    """A robustness test. losses: of the score, by perturbation, less than 0 where it rose; None where no row
    has the score. source: digest of the test.
    """

    score: str
    losses: Mapping[str, Measure | None]
    source: str


@dataclass(frozen=True, slots=True)
class Forgetting:
    """What a run that continued another run's model has lost on rows of that run. base: the other run. lost:
    of the score, less than 0 where it gained; None where no row measured it. source: digest of the
    measurement.
    """

    base: str
    score: str = ""
    lost: Measure | None = None
    rows: int = 0
    source: str = ""


@dataclass(frozen=True, slots=True)
class Fairness:
    """How differently slices of the test rows are served. problem: why that isn't known.

    gaps: by slice how much worse its `score` is than that of all other rows; or, under the name of two
    slices, their largest difference of a label's rates. left_out: slices with too few rows.
    """

    score: str = ""
    gaps: Mapping[str, Measure] = field(default_factory=dict)
    left_out: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LoadTest:
    """What a load test measured. texts: different ones among the requests. p95: of response times in ms;
    cost: of a million requests, in `currency`, which is empty where no price is set; None where there were
    too few texts or requests. problem: why nothing was measured.
    """

    requests: int = 0
    texts: int = 0
    failed: int = 0
    clients: int = 1
    p95: Measure | None = None
    cost: Measure | None = None
    currency: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found about one version. None always means: could not be found, and the gate that needs it
    fails.

    task: key of the type that it learned. groups: of near duplicates, in which the test rows come.
    membership: AUC with which the loss separates training rows from others; analysis: digest of what
    found it. forgetting: None where the run started from no other run. robustness: None where the test wasn't
    run. fairness, load: None where no gate asks for them.
    copied: share of responses with a run of words from a training response. leaked: test rows whose text,
    normalised text or group is in the training split. overruled: test labels decided again since the freeze.
    bytes: of all its files; root: their digest. files: how many were hashed again; signature_problem: ""
    when every one and the signature hold. stated: card fields that are filled.
    """

    task: str = DEFAULT
    rows: int | None = None
    groups: int | None = None
    metrics: Mapping[str, Measure] = field(default_factory=dict)
    evaluation: str = ""
    live: Live | None = None
    membership: Measure | None = None
    analysis: str = ""
    leaked: int | None = None
    snapshot: str = ""
    overruled: int | None = None
    robustness: Robustness | None = None
    forgetting: Forgetting | None = None
    fairness: Fairness | None = None
    copied: Measure | None = None
    load: LoadTest | None = None
    bytes: int | None = None
    root: str = ""
    files: int = 0
    signature_problem: str | None = None
    key: str = ""
    stated: frozenset[str] | None = None
    card: str = ""
