"""JSON documents that are frozen dataclasses: each field declares its allowed values, and every error names
the first invalid field.
"""

from __future__ import annotations

import json
import types
from dataclasses import MISSING, asdict, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Self, Union, get_args, get_origin, get_type_hints

from lifecycle.runtime.engine.faults import EngineFault

NAMED = 5  # names that an error lists


class SpecError(EngineFault):
    """A spec is invalid. `field` is the dotted name of the first invalid field."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__("bad_spec", f"spec.json: {name} {message}", f"Fix {name} and start the run again.")
        self.field = name


def limit(
    default: Any = MISSING,
    *,
    low: float | None = None,
    high: float | None = None,
    one_of: tuple[str, ...] | None = None,
) -> Any:
    """A dataclass field with its range: low and high are inclusive."""
    metadata = {"low": low, "high": high, "one_of": one_of}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


class Document:
    """A frozen dataclass that is one JSON object: unknown, missing, mistyped and out-of-range fields are
    refused by name.
    """

    def __post_init__(self) -> None:
        self._check("")

    def _check(self, prefix: str) -> None:
        hints = get_type_hints(type(self))
        for each in fields(self):  # type: ignore[arg-type]
            name, value = f"{prefix}{each.name}", getattr(self, each.name)
            _check_type(name, value, hints[each.name])
            _check_limits(name, value, each.metadata)

    def to_json(self) -> dict[str, Any]:
        """A plain object that `from_json` reads back as an equal spec."""
        return _plain(asdict(self))  # type: ignore[call-overload,no-any-return]

    @classmethod
    def from_json(cls, document: Any, prefix: str = "") -> Self:
        """Read a spec. Raises SpecError naming the first field that is unknown, missing, of the wrong type or
        out of range.
        """
        if not isinstance(document, dict):
            raise SpecError(
                prefix.rstrip(".") or "the document", f"must be an object, got {shown(document)}."
            )
        known = {each.name: each for each in fields(cls)}  # type: ignore[arg-type]
        hints = get_type_hints(cls)
        for name in document:
            if name not in known:
                raise SpecError(
                    f"{prefix}{name}", f"isn't a field of {cls.__name__}; valid fields: {', '.join(known)}."
                )
        values = {}
        for name, each in known.items():
            if name in document:
                values[name] = _read(f"{prefix}{name}", document[name], hints[name])
            elif each.default is MISSING and each.default_factory is MISSING:
                raise SpecError(f"{prefix}{name}", "is missing.")
        made = cls.__new__(cls)
        for name, each in known.items():
            default = each.default if each.default_factory is MISSING else each.default_factory()
            object.__setattr__(made, name, values.get(name, default))
        made._check(prefix)
        made._check_whole(prefix)
        return made

    def _check_whole(self, prefix: str) -> None:
        """Rules over several fields; raises SpecError."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a spec from a file. Raises SpecError when it is absent or not JSON."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise SpecError("the file", f"{path.name} is missing from the run folder.") from None
        except ValueError as error:
            raise SpecError("the file", f"isn't valid JSON: {error}.") from None
        return cls.from_json(document)

    def write(self, path: Path) -> None:
        """Write the spec as indented JSON."""
        path.write_text(json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value


def listed(names: tuple[str, ...]) -> str:
    """The first names, with commas between, and how many more there are."""
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def shown(value: Any) -> str:
    """A value as JSON, at most its first 80 characters."""
    return json.dumps(value, ensure_ascii=False, default=str)[:80]


def _read(name: str, value: Any, hint: Any) -> Any:
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    if value is None and type(None) in options:
        return None
    for option in options:
        if isinstance(option, type) and is_dataclass(option) and issubclass(option, Document):
            return option.from_json(value, f"{name}.")
        if get_origin(option) is tuple:
            if not isinstance(value, list | tuple):
                raise SpecError(name, f"must be a list, got {shown(value)}.")
            return tuple(value)
        if option is float and isinstance(value, int | float) and not isinstance(value, bool):
            try:
                # no negative zero: PostgreSQL keeps none, and the spec would have another digest
                return float(value) + 0.0
            except OverflowError:
                raise SpecError(name, "must be a smaller number.") from None
    return value


TYPE_NAMES = {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}


def _check_type(name: str, value: Any, hint: Any) -> None:
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    for option in options:
        if option is type(None):
            if value is None:
                return
        elif get_origin(option) is Literal:
            if value in get_args(option):
                return
        elif get_origin(option) is tuple:
            if isinstance(value, tuple) and all(isinstance(each, str) for each in value):
                return
        elif option is float:
            if isinstance(value, int | float) and not isinstance(value, bool):
                return
        elif option is int:
            if isinstance(value, int) and not isinstance(value, bool):
                return
        elif isinstance(value, option):
            return
    wanted = " or ".join(_type_name(option) for option in options)
    raise SpecError(name, f"must be {wanted}, got {shown(value)}.")


def _type_name(option: Any) -> str:
    if option is type(None):
        return "null"
    if get_origin(option) is tuple:
        return "a list of strings"
    if get_origin(option) is Literal:
        return " or ".join(json.dumps(each) for each in get_args(option))
    return TYPE_NAMES.get(option, "an object")


def _check_limits(name: str, value: Any, limits: Any) -> None:
    one_of, low, high = limits.get("one_of"), limits.get("low"), limits.get("high")
    if one_of and value not in one_of:
        raise SpecError(name, f"must be one of {', '.join(one_of)}, got {shown(value)}.")
    if isinstance(value, int | float) and (
        (low is not None and not value >= low) or (high is not None and not value <= high)
    ):
        between = f"from {low:g} to {high:g}" if low is not None and high is not None else f"{low:g} or more"
        raise SpecError(name, f"must be {between}, got {value}.")
