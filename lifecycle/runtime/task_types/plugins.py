"""Task types from other packages. `TASK_TYPES` lists them; each package has the same modules as a task's
folders here: `task_type`, `answers`, `measures`, `learner`, `page`, and so on. It is read when a table is
imported, in every process.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from lifecycle.runtime.env import BadSetting, env_list
from lifecycle.runtime.task_types.task_type import TaskType

OF_WHAT_IS_LEARNED = (
    "measures",
    "predictions",
    "baselines",
    "loading",
    "settings",
    "learner",
    "answerer",
    "rows",
    "page",
)

E = TypeVar("E")


def packages() -> list[str]:
    """The package names, in the order of the setting."""
    return env_list("TASK_TYPES", [])


def with_plugins(part: str, own: Mapping[str, E]) -> dict[str, E]:
    """A table with the ENTRY of each package's module `part`. own: the built-in tasks, by key.

    Raises BadSetting if a package can't be imported, lacks a required part, or uses a key or value name that
    is taken.
    """
    found = dict(own)
    for package in packages():
        kind: TaskType = entry(package, "task_type")
        if kind.key in found:
            raise BadSetting(f"TASK_TYPES lists {package}, whose key {kind.key!r} another task already has.")
        if kind.answers.name in [each.answers.name for each in found.values() if isinstance(each, TaskType)]:
            raise BadSetting(
                f"TASK_TYPES lists {package}, whose value name {kind.answers.name!r} another task already"
                " has."
            )
        if needs(kind, part) or find_spec(f"{package}.{part}"):
            found[kind.key] = entry(package, part)
    return found


def needs(kind: TaskType, part: str) -> bool:
    """Whether a task requires a part. A task learned as another one only needs the parts for its annotations;
    the rest comes from that task.
    """
    if part in OF_WHAT_IS_LEARNED:
        return not kind.learns_as
    optional = {
        "served": True,
        "watched": True,
        "decoding": kind.writes_text or bool(kind.learns_as),
        "suggestions": not kind.prelabels or bool(kind.learns_as),
    }
    return not optional.get(part, False)


def entry(package: str, part: str) -> Any:
    """The ENTRY of a part. Raises BadSetting if missing."""
    found = getattr(imported(package, f".{part}"), "ENTRY", None)
    if found is None:
        raise BadSetting(f"TASK_TYPES lists {package}, whose module {part} has no ENTRY.")
    return found


def folders(name: str) -> list[Path]:
    """The packages' folders with this name, such as templates. Raises BadSetting for a package that can't be
    imported.
    """
    found = [Path(place, name) for package in packages() for place in imported(package).__path__]
    return [folder for folder in found if folder.is_dir()]


def imported(package: str, part: str = "") -> ModuleType:
    """A package or one of its modules. part: its name with a leading dot. Raises BadSetting."""
    try:
        return import_module(package + part)
    except ImportError as error:
        raise BadSetting(
            f"TASK_TYPES lists {package}, but {package}{part} can't be imported: {error}."
        ) from error
