"""Names and numbers in sentences."""

from __future__ import annotations

from collections.abc import Sequence


def phrase(names: Sequence[str], most: int = 0, last: str = "and") -> str:
    """ "a", "a and b", "a, b and c"; "a, b and 4 more" where there are more than `most`, unless that is 0.
    Empty for no names.
    """
    shown = [*names[:most], f"{len(names) - most:,} more"] if most and len(names) > most else [*names]
    return f" {last} ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


def things(number: int, one: str, many: str = "") -> str:
    """ "1 text", "1,200 texts"; many: where it isn't one with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
