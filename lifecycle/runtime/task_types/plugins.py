"""Types of task that other packages bring. `TASK_TYPES` names these packages, each with the modules that a folder of a task has here on all
floors: `task_type`, `answers`, `measures`, `learner`, `page` and so on. It is read where a table is imported, in every process."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from lifecycle.runtime.env import BadSetting, env_list
from lifecycle.runtime.task_types.task_type import TaskType

OF_WHAT_IS_LEARNED = ("measures", "predictions", "baselines", "loading", "settings", "learner", "answerer", "rows", "page")

E = TypeVar("E")


def packages() -> list[str]:
    """Their names, in the order of the setting."""
    return env_list("TASK_TYPES", [])


def with_plugins(part: str, own: Mapping[str, E]) -> dict[str, E]:
    """A table with what each package has as ENTRY of its module `part`. own: of the tasks that are built in, by their keys.

    Raises BadSetting for a package that can't be imported, that lacks a part which its task needs, or whose key is taken, or the name of
    its values, by which they are told from those of other tasks.
    """
    found = dict(own)
    for package in packages():
        kind: TaskType = entry(package, "task_type")
        if kind.key in found:
            raise BadSetting(f"TASK_TYPES names {package}, whose task has the key {kind.key!r}, which another task has already.")
        if kind.answers.name in [each.answers.name for each in found.values() if isinstance(each, TaskType)]:
            raise BadSetting(f"TASK_TYPES names {package}, whose values are named {kind.answers.name!r}, as those of another task are.")
        if needs(kind, part) or find_spec(f"{package}.{part}"):
            found[kind.key] = entry(package, part)
    return found


def needs(kind: TaskType, part: str) -> bool:
    """Whether a task can't do without a part. What is learned as another task has only what people meet: all else is that task's."""
    if part in OF_WHAT_IS_LEARNED:
        return not kind.learns_as
    optional = {"decoding": kind.writes_text or bool(kind.learns_as), "suggestions": not kind.prelabels or bool(kind.learns_as)}
    return not optional.get(part, False)


def entry(package: str, part: str) -> Any:
    """The ENTRY of a part. Raises BadSetting where there is none."""
    found = getattr(imported(package, f".{part}"), "ENTRY", None)
    if found is None:
        raise BadSetting(f"TASK_TYPES names {package}, whose module {part} has no ENTRY.")
    return found


def folders(name: str) -> list[Path]:
    """The packages' folders of this name, such as templates, where they have one. Raises BadSetting for a package that can't be
    imported."""
    found = [Path(place, name) for package in packages() for place in imported(package).__path__]
    return [folder for folder in found if folder.is_dir()]


def imported(package: str, part: str = "") -> ModuleType:
    """A package, or one of its modules. part: its name, with a dot before it. Raises BadSetting."""
    try:
        return import_module(package + part)
    except ImportError as error:
        raise BadSetting(f"TASK_TYPES names {package}, but {package}{part} can't be imported: {error}.") from error
