"""Where the next page of a list begins, as it stands in an address: a time and a key, `2026-11-25T10:00:00.000000Z_5`. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

Key = tuple[datetime, int]


def written(key: Key) -> str:
    """The place as an address holds it."""
    return f"{key[0].astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}_{key[1]}"


def read(text: str) -> Key | None:
    """The place, in UTC; None for anything that is none, which is the first page."""
    at, _, pk = text.replace(" ", "+").partition("_")
    if not (pk.isascii() and pk.isdigit() and len(pk) < 19):
        return None
    try:
        moment = datetime.fromisoformat(at)
        return (moment.astimezone(UTC), int(pk)) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
