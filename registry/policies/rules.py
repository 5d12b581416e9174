"""What a policy may contain. Reading is strict: an unknown, missing or impossible entry is refused by its
name. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.by_key.measures import MEASURES, NAMED
from lifecycle.runtime.task_types.measures import ECE
from registry.ground.access.roles import Role, roles_for

FORMAT = 1
MAX_BYTES = 100_000
# by task, from 0 to 1, more is better
METRICS = {
    task: tuple(
        name
        for name in found.metrics.registered
        if found.metrics[name].is_share and not found.metrics[name].lower_is_better
    )
    for task, found in MEASURES.items()
}
QUALITY_METRICS = tuple(dict.fromkeys(name for each in METRICS.values() for name in each))
CALIBRATION_METRICS = (ECE.name,)
# by task: those that a limit may be set on, in either direction
LIMITED = {task: found.metrics.registered for task, found in MEASURES.items()}
FAIRNESS = ("equalized_odds_difference", "equal_opportunity_difference", "demographic_parity_difference")
PERTURBATIONS = ("typos", "lower", "upper", "half", "sentence", "edges")
MOST = 1_000_000_000
MAX_KEY = 60  # characters of a metadata key, so that it fits a gate's title
MAX_CLIENTS = 32  # at once, of a load test
BOUNDS = ("low", "point")
CARD_FIELDS = ("purpose", "limits", "risks", "owner")
# What each gate is set by, and may be. Every gate may also have `blocking: false`, and other settings for
# some tasks, or none where it doesn't apply: `tasks: {ranking: {metric: pair_accuracy}, generation: null}`.
GATES: dict[str, tuple[str, ...]] = {
    "quality": ("metric", "bound", "at_least"),
    "live": ("metric", "bound", "at_most_worse"),
    "calibration": ("metric", "at_most"),
    "limits": ("metrics",),
    "robustness": ("at_most",),
    "fairness": ("metadata", "at_most"),
    "forgetting": ("at_most_lost",),
    "membership": ("at_most",),
    "verbatim": ("at_most",),
    "size": ("at_most_mb",),
    "latency": ("at_most_ms",),
    "cost": ("at_most_per_million",),
    "leakage": (),
    "labels": (),
    "signature": (),
    "card": ("fields",),
}
OPTIONAL: dict[str, tuple[str, ...]] = {
    "quality": ("at_least_rows",),
    "robustness": ("perturbations",),
    "fairness": ("label", "measure"),
    "latency": ("clients",),
}
ALWAYS = ("leakage", "signature")
# a step of another role would wait for ever
APPROVERS = [role.value for role in Role if role in roles_for("promotions.approve")]


@dataclass(frozen=True, slots=True)
class Step:
    """One approval, by one person of one role. Steps are taken in their order, each by someone else."""

    name: str
    title: str
    role: Role


@dataclass(frozen=True, slots=True)
class Rules:
    """A policy, read. gates: settings by gate, in the order of the text. days_valid: how long an approval may
    wait for its deployment.
    """

    name: str
    title: str
    gates: Mapping[str, Mapping[str, Any]]
    steps: tuple[Step, ...]
    days_to_decide: int
    days_valid: int

    def settings(self, gate: str, task: str) -> Mapping[str, Any] | None:
        """A gate's settings for versions of a task, by the key of the type that they learned; None where the
        policy says that it doesn't apply, or has no such gate.
        """
        if gate not in self.gates:
            return None
        general = {name: value for name, value in self.gates[gate].items() if name != "tasks"}
        own = self.gates[gate].get("tasks", {}).get(task, {})
        return None if own is None else general | own

    def step(self, name: str) -> Step | None:
        """The step of this name, if the policy has it."""
        return next((step for step in self.steps if step.name == name), None)


def digest_of(text: str) -> str:
    """What approvals name a policy by: sha256 of its text, in hex."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def read(text: str) -> Rules:
    """The policy that a YAML text states. Raises Refused that names the entry, such as
    `scores.quality.at_least`.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _wrong("the text", f"is longer than {MAX_BYTES:,} bytes")
    try:
        document = yaml.load(text, Loader=StrictLoader)  # noqa: S506  a SafeLoader that also refuses a key given twice
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _wrong("the text", f"isn't valid YAML: {_place(error)}") from error
    top = _mapping(
        "the policy", document, ("format", "name", "title", "gates", "steps", "days_to_decide", "days_valid")
    )
    if top["format"] != FORMAT:
        raise _wrong("format", f"must be {FORMAT}")
    return Rules(
        name=_word("name", top["name"]),
        title=_text("title", top["title"]),
        gates=_gates(top["gates"]),
        steps=_steps(top["steps"]),
        days_to_decide=_days("days_to_decide", top["days_to_decide"]),
        days_valid=_days("days_valid", top["days_valid"]),
    )


class StrictLoader(yaml.SafeLoader):
    """Plain values only, and each key once: the second `quality:` of a text must not silently replace the
    first.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping without repeated keys."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} appears twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


def _place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "it can't be read"
    return f"{problem}, line {mark.line + 1}" if mark else str(problem)


def _gates(value: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict) or not value:
        raise _wrong("gates", f"must list gates from {', '.join(GATES)}")
    for name in ALWAYS:
        if name not in value:
            raise _wrong("gates", f"must include {name}: every policy needs it")
    return {str(name): _gate(str(name), settings) for name, settings in value.items()}


def _gate(name: str, value: Any) -> dict[str, Any]:
    if name not in GATES:
        raise _wrong(f"gates.{name}", f"isn't a known gate; choose from {', '.join(GATES)}")
    given = {} if value is None else value
    optional = ("blocking", *OPTIONAL.get(name, ()))
    by_task = () if name in ALWAYS else ("tasks",)
    settings = _mapping(f"gates.{name}", given, GATES[name], optional=(*optional, *by_task))
    tasks = settings.get("tasks", {})
    _check_settings(name, f"gates.{name}", {key: each for key, each in settings.items() if key != "tasks"})
    where = f"gates.{name}.tasks"
    for task, own in _mapping(where, tasks, (), optional=tuple(MEASURES)).items():
        if own is not None:
            known = _mapping(f"{where}.{task}", own, (), optional=(*GATES[name], *optional))
            _check_settings(name, f"{where}.{task}", known, task)
    for each in (settings, *(settings | own for own in tasks.values() if own)):
        if "measure" in each and "label" not in each:
            raise _wrong(f"gates.{name}: measure", "is of a label, which is missing")
    return settings


def _check_settings(name: str, where: str, settings: Mapping[str, Any], task: str = "") -> None:
    """task: whose metrics the settings may name; empty: those of any task."""
    for key, setting in settings.items():
        _CHECKS[key](f"{where}.{key}", setting)
    if name in ALWAYS and settings.get("blocking") is False:
        raise _wrong(f"{where}.blocking", "must be true: this gate always blocks")
    if "metric" in settings:
        scores = METRICS[task] if task else QUALITY_METRICS
        _one_of(*(CALIBRATION_METRICS if name == "calibration" else scores))(
            f"{where}.metric", settings["metric"]
        )
    for metric in settings.get("metrics", {}) if task else ():
        _one_of(*LIMITED[task])(f"{where}.metrics", metric)


def _steps(value: Any) -> tuple[Step, ...]:
    if not isinstance(value, list) or not value:
        raise _wrong("steps", "must list at least one step")
    steps = []
    for at, entry in enumerate(value):
        given = _mapping(f"steps.{at}", entry, ("name", "title", "role"))
        if given["role"] not in APPROVERS:
            raise _wrong(f"steps.{at}.role", f"must be one of {', '.join(APPROVERS)}")
        steps.append(
            Step(
                _word(f"steps.{at}.name", given["name"]),
                _text(f"steps.{at}.title", given["title"]),
                Role(given["role"]),
            )
        )
    names = [step.name for step in steps]
    if len(set(names)) < len(names):
        raise _wrong("steps", "must have different names")
    return tuple(steps)


def _mapping(
    where: str, value: Any, keys: tuple[str, ...], *, optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(where, "must be a mapping")
    for key in value:
        if key not in (*keys, *optional):
            known = ", ".join((*keys, *optional))
            raise _wrong(f"{where}: {key}", f"isn't a known key; choose from {known}")
    for key in keys:
        if key not in value:
            raise _wrong(f"{where}: {key}", "is missing")
    return {str(key): setting for key, setting in value.items()}


def _word(where: str, value: Any) -> str:
    if (
        not isinstance(value, str)
        or not value.isascii()
        or not value.replace("-", "a").replace("_", "a").isalnum()
        or len(value) > 40
    ):
        raise _wrong(where, "must be up to 40 letters, digits, - or _")
    return value


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 120 or not value.isprintable():
        raise _wrong(where, "must be text of up to 120 characters")
    return value


def _key(where: str, value: Any) -> None:
    if len(_text(where, value)) > MAX_KEY:
        raise _wrong(where, f"must have at most {MAX_KEY} characters")


def _days(where: str, value: Any) -> int:
    _whole("days", 365)(where, value)
    return int(value)


def _share(where: str, value: Any) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise _wrong(where, "must be a number from 0 to 1")


def _limits(where: str, value: Any) -> None:
    if not isinstance(value, dict) or not value:
        raise _wrong(where, "must list metrics with their limits")
    for metric, limit in value.items():
        _one_of(*dict.fromkeys(name for each in LIMITED.values() for name in each))(where, metric)
        if NAMED[metric].is_share:
            _share(f"{where}.{metric}", limit)
        else:
            _positive(f"{where}.{metric}", limit)


def _positive(where: str, value: Any) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= MOST:
        raise _wrong(where, f"must be a number from 0 to {MOST:,}")


def _whole(unit: str, most: int) -> Any:
    def check(where: str, value: Any) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise _wrong(where, f"must be a whole number of {unit}, 1 to {most:,}")

    return check


def _one_of(*choices: str) -> Any:
    def check(where: str, value: Any) -> None:
        if value not in choices:
            raise _wrong(where, f"must be one of {', '.join(choices)}")

    return check


def _some_of(what: str, choices: tuple[str, ...]) -> Any:
    def check(where: str, value: Any) -> None:
        if not isinstance(value, list) or not value or any(each not in choices for each in value):
            raise _wrong(where, f"must list {what} from {', '.join(choices)}")

    return check


def _flag(where: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise _wrong(where, "must be true or false")


_CHECKS = {
    "metric": _one_of(*QUALITY_METRICS, *CALIBRATION_METRICS),
    "bound": _one_of(*BOUNDS),
    "at_least": _share,
    "at_least_rows": _whole("rows", 1_000_000),
    "at_most": _share,
    "at_most_worse": _share,
    "at_most_lost": _positive,
    "at_most_mb": _positive,
    "at_most_ms": _positive,
    "at_most_per_million": _positive,
    "clients": _whole("clients", MAX_CLIENTS),
    "fields": _some_of("fields", CARD_FIELDS),
    "metrics": _limits,
    "perturbations": _some_of("perturbations", PERTURBATIONS),
    "metadata": _key,
    "label": _text,
    "measure": _one_of(*FAIRNESS),
    "blocking": _flag,
}


def _wrong(where: str, problem: str) -> Refused:
    sentence = (
        f"{where[0].upper()}{where[1:]} {problem}." if where.startswith("the ") else f"{where} {problem}."
    )
    return Refused(
        f"The policy wasn't accepted: {sentence}",
        next_step="Correct the entry and try again.",
        fields={"text": [sentence]},
    )
