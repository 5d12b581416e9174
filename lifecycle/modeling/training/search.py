"""Search for settings with Optuna: spaces, the next trial, pruning, and importances. Pure: no queries, no
clock.

Nothing is stored: a study is built in memory from the known trials for each call.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from lifecycle.runtime.engine.spec import POOLINGS, SCHEDULES, TrainSpec
from lifecycle.runtime.engine.strategy import Strategy
from lifecycle.runtime.refusals import Refused

if TYPE_CHECKING:  # imported within functions, since loading Optuna slows down every process
    import optuna
    from optuna.distributions import BaseDistribution

KINDS = {each.name: str(each.type) for each in (*fields(TrainSpec), *fields(Strategy))}
SEARCHED = (
    "learning_rate", "head_learning_rate", "batch_size", "rank", "width", "epochs", "warmup_fraction",
    "label_smoothing", "focal_gamma", "weight_decay", "dropout", "alpha", "dora", "rank_stabilised",
    "frozen_layers", "accumulation", "max_gradient_norm", "max_tokens", "class_weights", "schedule",
    "pooling",
)  # fmt: skip
LOG = frozenset({"learning_rate", "head_learning_rate", "weight_decay"})
WORDS = {"on": True, "off": False}
CHOICES_MAX = 20
ATTEMPTS = 20  # to sample untried settings
COUNTED = 10_000  # maximum combinations to enumerate
LARGEST = 1e300
IMPORTANT_FROM = 10  # minimum ended trials for the best to differ significantly
BEST = 5  # minimum trials above its quantile, by PED-ANOVA's authors


# ── Spaces ──────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from low to high, both inclusive. log: sampled on a log scale."""

    low: float
    high: float
    log: bool = False

    def to_json(self) -> dict[str, Any]:
        """As the API takes it."""
        return {"low": self.low, "high": self.high, "log": self.log}

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True)
class Choices:
    """A list of equally likely values."""

    values: tuple[Any, ...]

    def to_json(self) -> dict[str, Any]:
        """As the API takes it."""
        return {"choices": list(self.values)}

    def __str__(self) -> str:
        return ", ".join(format_value(value) for value in self.values)


Domain = Range | Choices
Space = Mapping[str, Domain]


def format_value(value: Any) -> str:
    """A value for display and input."""
    return (
        ("on" if value else "off")
        if isinstance(value, bool)
        else f"{value:.4g}"
        if isinstance(value, float)
        else str(value)
    )


def read_space(document: Mapping[str, Any]) -> dict[str, Domain]:
    """Parse {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": true}, "batch_size": {"choices": [16, 32]}}.

    log: by default true for rates and weight decay. Raises Refused with a message for each invalid setting.
    """
    space: dict[str, Domain] = {}
    wrong: dict[str, list[str]] = {}
    for name, given in document.items():
        try:
            space[name] = read_domain(name, given)
        except ValueError as error:
            wrong[name] = [str(error)]
    if wrong:
        raise Refused("Invalid search space.", fields=wrong)
    if not space:
        raise Refused(
            "The search space is empty.",
            next_step="Enter a range or several values for at least one setting.",
        )
    return {name: space[name] for name in SEARCHED if name in space}


def read_domain(name: str, given: Any) -> Domain:
    """Raise ValueError with a sentence if invalid."""
    if name not in SEARCHED:
        raise ValueError(f"{name} can't be searched. Searchable settings: {', '.join(SEARCHED)}.")
    if not isinstance(given, Mapping):
        raise ValueError("Enter low and high, or choices.")
    if set(given) == {"choices"}:
        return read_choices(name, given["choices"])
    if not {"low", "high"} <= set(given) <= {"low", "high", "log"}:
        raise ValueError("Enter low and high (optionally log), or choices only.")
    low, high, log = given["low"], given["high"], given.get("log", name in LOG)
    if KINDS[name] not in ("int", "float"):
        raise ValueError("It has no range. Enter choices.")
    if not all(is_number(each) for each in (low, high)) or not isinstance(log, bool):
        raise ValueError("low and high must be numbers, log true or false.")
    if KINDS[name] == "int" and not all(isinstance(each, int) for each in (low, high)):
        raise ValueError("low and high must be whole numbers.")
    if low >= high:
        raise ValueError(f"low must be less than high, got {low:g} to {high:g}.")
    if log and low <= 0:
        raise ValueError(f"low must be above 0 on a log scale, got {low:g}.")
    return Range(low, high, log)


def read_choices(name: str, given: Any) -> Choices:
    """Raise ValueError with a sentence if invalid."""
    if not isinstance(given, list | tuple) or not 2 <= len(given) <= CHOICES_MAX:
        raise ValueError(f"Enter 2 to {CHOICES_MAX} values.")
    plain: Any = {"int": int, "float": (int, float), "bool": bool, "str": str}[KINDS[name]]
    for value in given:
        if (
            not isinstance(value, plain)
            or isinstance(value, bool) != (KINDS[name] == "bool")
            or not (plain in (str, bool) or is_number(value))
        ):
            raise ValueError(f"{value!r} isn't a valid value.")
    values = tuple(float(value) if KINDS[name] == "float" else value for value in given)
    if len(set(values)) < len(values):
        raise ValueError("Enter each value once.")
    return Choices(values)


def is_number(value: Any) -> bool:
    """Whether a JSON value is a finite number; JSON integers can have any length."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def parse(name: str, text: str) -> Any:
    """Parse a user's input: one value, or "0.001 to 0.1" or "16, 32" as the API takes it. Raises ValueError
    with a sentence.
    """
    low, word, high = text.partition(" to ")
    if word:
        return {"low": parse_value(name, low), "high": parse_value(name, high)}
    if "," in text:
        return {"choices": [parse_value(name, part) for part in text.split(",")]}
    return parse_value(name, text)


def parse_value(name: str, text: str) -> Any:
    """One value. Raises ValueError with a sentence."""
    text, kind = text.strip(), KINDS[name]
    if kind == "bool":
        if text.lower() not in WORDS:
            raise ValueError("Enter on, off, or both: on, off.")
        return WORDS[text.lower()]
    if kind == "str":
        return text
    try:
        return int(text) if kind == "int" else float(text)
    except ValueError:
        wanted = "a whole number" if kind == "int" else "a number"
        raise ValueError(
            f"“{text}” isn't {wanted}. Enter one value, a range such as 1 to 4, or several such as 1, 2, 4."
        ) from None


def size(space: Space) -> int | None:
    """The number of combinations in a space; None if it isn't countable."""
    counts = [
        (
            len(domain.values)
            if isinstance(domain, Choices)
            else int(domain.high - domain.low) + 1
            if KINDS[name] == "int"
            else None
        )
        for name, domain in space.items()
    ]
    return None if None in counts else math.prod(each or 1 for each in counts)


def corners(space: Space) -> list[dict[str, Any]]:
    """Settings that reveal any limit of the engine: each end of a range and each choice with the others at
    their first value, and all at their last.
    """
    ends = {
        name: domain.values if isinstance(domain, Choices) else (domain.low, domain.high)
        for name, domain in space.items()
    }
    first = {name: values[0] for name, values in ends.items()}
    return [
        first,
        *(first | {name: value} for name, values in ends.items() for value in values[1:]),
        {name: values[-1] for name, values in ends.items()},
    ]


def suggested_space(strategy: str, values: Mapping[str, Any]) -> dict[str, Domain]:
    """What is searched by default: rates within five times of what is suggested, sizes at half and twice."""
    names = {"head": ("head_learning_rate", "batch_size", "label_smoothing")}.get(
        strategy, ("learning_rate", "head_learning_rate", "batch_size", "rank", "width")
    )
    space = {name: usual_domain(name, values[name]) for name in names if name in values}
    return space | ({"warmup_fraction": usual_domain("warmup_fraction", 0)} if strategy == "full" else {})


def usual_domain(name: str, value: Any) -> Domain:
    """The usual search domain of a setting around a value."""
    fixed: dict[str, Domain] = {
        "warmup_fraction": Range(0.0, 0.2),
        "label_smoothing": Range(0.0, 0.2),
        "focal_gamma": Range(0.0, 3.0),
        "dropout": Range(0.0, 0.3),
        "weight_decay": Range(0.001, 0.1, log=True),
        "max_gradient_norm": Choices((0.5, 1.0, 2.0)),
        "accumulation": Choices((1, 2, 4)),
        "schedule": Choices(SCHEDULES),
        "pooling": Choices(POOLINGS[:2]),
        "frozen_layers": Range(1, 2),
    }
    if name in fixed:
        return fixed[name]
    if isinstance(value, bool):
        return Choices((False, True))
    if name in LOG:
        return Range(float(f"{value / 5:.3g}"), min(1.0, float(f"{value * 5:.3g}")), log=True)
    kind = int if KINDS[name] == "int" else float
    return Choices(tuple(dict.fromkeys(kind(each) for each in (max(1, value // 2), value, value * 2))))


def distribution(name: str, domain: Domain) -> BaseDistribution:
    """The domain as an Optuna distribution."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(domain, Choices):
        return CategoricalDistribution(domain.values)
    if KINDS[name] == "int":
        return IntDistribution(int(domain.low), int(domain.high), log=domain.log)
    return FloatDistribution(domain.low, domain.high, log=domain.log)


# ── Trials ──────────────────────────────────────────────────────────────────
class Outcome(Enum):
    """How a trial ended, by the name of Optuna's TrialState. FAILED: without a score, for any reason."""

    SCORED = "COMPLETE"
    PRUNED = "PRUNED"
    FAILED = "FAIL"


@dataclass(frozen=True, slots=True)
class Trial:
    """An ended trial. score: the main score on validation; evaluations: at each evaluation during
    training.
    """

    outcome: Outcome
    params: Mapping[str, Any]
    score: float | None = None
    evaluations: tuple[float, ...] = ()

    @property
    def value(self) -> float | None:
        """Its value in a study: for a pruned trial its last evaluation, as in Optuna."""
        return {
            Outcome.SCORED: self.score,
            Outcome.PRUNED: self.evaluations[-1] if self.evaluations else None,
        }.get(self.outcome)


@dataclass(frozen=True, slots=True)
class Cut:
    """Why a trial is pruned. evaluation: from 1; best: its own so far; median: of `others` trials at that
    evaluation.
    """

    evaluation: int
    best: float
    median: float
    others: int


def study(
    space: Space, trials: Iterable[Trial], sampler: optuna.samplers.BaseSampler | None = None
) -> optuna.Study:
    """A study in memory with these trials."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    made = optuna.create_study(direction="maximize", sampler=sampler)
    distributions = {name: distribution(name, domain) for name, domain in space.items()}
    for trial in trials:
        steps = dict(enumerate(trial.evaluations, 1))
        made.add_trial(
            optuna.create_trial(
                state=optuna.trial.TrialState[trial.outcome.value],
                value=trial.value,
                params=dict(trial.params),
                distributions=distributions,
                intermediate_values=steps,
            )
        )
    return made


def seed_of(seed: int, number: int, attempt: int = 0) -> int:
    """The seed of one trial, from 0 to 2**32 - 1, different from all others, including those of a sweep with
    the next seed.
    """
    return int(np.random.SeedSequence([seed, number, attempt]).generate_state(1)[0])


def suggest(
    space: Space, trials: Sequence[Trial], *, sampler: str, seed: int, number: int
) -> dict[str, Any] | None:
    """The settings of the next trial: deterministic in space, trials, seed, and number.

    sampler: tpe or random. Settings already tried would give the same weights, so they are replaced by random
    ones, and finally by what is left. None if nothing is left, as in a range without further numbers.
    """
    from optuna.samplers import RandomSampler, TPESampler

    tried = [dict(trial.params) for trial in trials]
    distributions = {name: distribution(name, domain) for name, domain in space.items()}
    for attempt in range(ATTEMPTS):
        drawn = seed_of(seed, number, attempt)
        asks_tpe = sampler == "tpe" and not attempt
        chosen = TPESampler(seed=drawn) if asks_tpe else RandomSampler(seed=drawn)
        params = study(space, trials if asks_tpe else (), chosen).ask(distributions).params
        if params not in tried:
            return params
    left = [params for params in combinations(space) if params not in tried]
    return left[seed_of(seed, number, ATTEMPTS) % len(left)] if left else None


def combinations(space: Space) -> Iterator[dict[str, Any]]:
    """All combinations of a space; empty if there are more than COUNTED or they aren't countable."""
    held = size(space)
    if held is None or held > COUNTED:
        return
    values = [
        domain.values if isinstance(domain, Choices) else range(int(domain.low), int(domain.high) + 1)
        for domain in space.values()
    ]
    yield from (dict(zip(space, each, strict=True)) for each in product(*values))


def find_cut(evaluations: Sequence[float], trials: Iterable[Trial], *, warmup: int) -> Cut | None:
    """When to prune a trial, as Optuna's MedianPruner: at the first evaluation at which its best so far is
    below the median of scored trials. warmup: the number of scored trials before any is pruned.
    """
    scored = [trial.evaluations for trial in trials if trial.outcome is Outcome.SCORED]
    if len(scored) < max(warmup, 1):
        return None
    for at in range(len(evaluations)):
        others = [each[at] for each in scored if len(each) > at]
        best = max(evaluations[: at + 1])
        if others and best < (median := float(np.percentile(others, 50))):
            return Cut(at + 1, best, median, len(others))
    return None


def importances(space: Space, trials: Sequence[Trial]) -> dict[str, float] | None:
    """How much each setting distinguishes the best trials (PED-ANOVA, Watanabe et al. 2023): shares of 1,
    largest first.

    None with fewer than IMPORTANT_FROM scored trials, or if all scores are equal.
    """
    scored = [trial for trial in trials if trial.outcome is Outcome.SCORED]
    if len(scored) < IMPORTANT_FROM or len({trial.score for trial in scored}) < 2:
        return None
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    evaluator = PedAnovaImportanceEvaluator(target_quantile=max(0.1, BEST / len(scored)))
    found = get_param_importances(study(space, scored), evaluator=evaluator)
    return found if sum(found.values()) > 0 else None
