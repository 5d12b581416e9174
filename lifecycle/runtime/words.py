"""Names in sentences."""

from __future__ import annotations

from collections.abc import Sequence


def phrase(names: Sequence[str], most: int = 0, last: str = "and") -> str:
    """ "a", "a and b", "a, b and c"; "a, b and 4 more" where there are more than `most`, unless that is 0.
    Empty for no names.
    """
    shown = [*names[:most], f"{len(names) - most:,} more"] if most and len(names) > most else [*names]
    return f" {last} ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))
