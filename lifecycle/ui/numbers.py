"""Formats numbers and times: a real minus, commas between thousands, a no-break space before the unit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone

MINUS, GAP = "\u2212", "\u00a0"
NOT_MEASURED = "Not measured"
DIGITS_MORE = 6
Number = int | float | Decimal


def decimals(value: Number | None, digits: int = 3, unlike: Sequence[Number] = ()) -> str:
    """0.927; 1,204.5; −0.013. "Not measured" for None and NaN.

    unlike: limits that the value is compared with, such as 0 or a threshold: decimals are added until it
    reads differently from those that it differs from, so that 0.69996 is never 0.700 beside "at least 0.700".
    """
    if value is None or value != value:  # noqa: PLR0124  NaN is the one value unequal to itself
        return NOT_MEASURED
    text = f"{abs(value):,.{digits + more_digits(value, digits, unlike)}f}"
    negative = value < 0 and any(digit in text for digit in "123456789")
    return MINUS + text if negative else text


def more_digits(value: Number, digits: int, unlike: Sequence[Number]) -> int:
    """How many more decimals than `digits` distinguish a value from the numbers that it differs from: up to
    six, else none.
    """

    def reads_like(other: Number, more: int) -> bool:
        return value != other and float(f"{value:.{digits + more}f}") == float(f"{other:.{digits + more}f}")

    return next(
        (more for more in range(DIGITS_MORE + 1) if not any(reads_like(other, more) for other in unlike)), 0
    )


def significant(value: Number | None, digits: int = 2) -> str:
    """0.0044, 0.083, 5.1, 1,312: with enough decimals for `digits` significant digits."""
    if not value or value != value:  # noqa: PLR0124
        return decimals(value, 0)
    return decimals(value, max(0, digits - 1 - math.floor(math.log10(abs(float(value))))))


def money(value: Number) -> str:
    """1,204; 3.40; under 0.01: as prices are written. Without its currency."""
    if 0 < value < 0.005:
        return "under 0.01"
    return decimals(value, 2 if value < 100 else 0)


def count(value: int | None) -> str:
    """10,003."""
    return decimals(value, 0)


def ordinal(value: int) -> str:
    """1st, 2nd, 3rd, 11th, 1,022nd."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th") if value % 100 not in (11, 12, 13) else "th"
    return f"{value:,}{ending}"


def signed(value: Number | None, digits: int = 3, unlike: Sequence[Number] = ()) -> str:
    """A difference: +0.013, −0.005, 0.000. unlike: as for `decimals`."""
    text = decimals(value, digits, unlike)
    return (
        "+" + text
        if value is not None and value > 0 and any(digit in text for digit in "123456789")
        else text
    )


def percent(share: Number | None, digits: int = 0, unlike: Sequence[Number] = ()) -> str:
    """A share from 0 to 1 as 5 % (with a no-break space). unlike: shares, as for `decimals`: with (0, 1) only
    none reads as 0 % and only all as 100 %.
    """
    if share is None or share != share:  # noqa: PLR0124
        return NOT_MEASURED
    return decimals(share * 100, digits, [other * 100 for other in unlike]) + GAP + "%"


def unit(value: Number | None, name: str, digits: int = 0) -> str:
    """60 ms, 19.1 ms: a number with its unit."""
    return NOT_MEASURED if value is None or value != value else decimals(value, digits) + GAP + name


def size(count_bytes: int | None) -> str:
    """512 B, 839 kB, 4.8 MB (decimal units, as disks are sold)."""
    if count_bytes is None:
        return NOT_MEASURED
    if count_bytes < 1000:
        return unit(count_bytes, "B")
    for name, factor in (("kB", 10**3), ("MB", 10**6), ("GB", 10**9), ("TB", 10**12)):
        scaled = count_bytes / factor
        if scaled < 999.5 or name == "TB":
            return unit(scaled, name, 1 if scaled < 9.95 else 0)
    raise AssertionError("unreachable")


def duration(seconds: Number | timedelta | None) -> str:
    """340 ms, 12 s, 4 min 5 s, 3 h 10 min, 2 d 4 h: the two largest units."""
    if seconds is None:
        return NOT_MEASURED
    total = seconds.total_seconds() if isinstance(seconds, timedelta) else float(seconds)
    if 0 < total < 1:
        return unit(total * 1000, "ms")
    left = round(total)
    parts = []
    for name, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        amount, left = divmod(left, length)
        parts.append((amount, name))
    first = next((index for index, part in enumerate(parts) if part[0]), 3)
    return (
        " ".join(f"{amount}{GAP}{name}" for amount, name in parts[first : first + 2] if amount) or f"0{GAP}s"
    )


def moment(at: datetime, now: datetime) -> str:
    """24 Nov 16:10, with the year when it differs from now's."""
    at, now = timezone.localtime(at), timezone.localtime(now)
    year = f" {at.year}" if at.year != now.year else ""
    return f"{at.day} {at:%b}{year} {at:%H:%M}"


def ago(at: datetime, now: datetime) -> str:
    """14 s ago, 3 min ago, in 2 h; the plain moment from a day on."""
    seconds = (now - at).total_seconds()
    if abs(seconds) >= 86400:
        return moment(at, now)
    if abs(seconds) < 1:
        return "now"
    for name, length in (("h", 3600), ("min", 60), ("s", 1)):
        if abs(seconds) >= length:
            amount = f"{int(abs(seconds) // length)}{GAP}{name}"
            break
    return f"{amount} ago" if seconds > 0 else f"in {amount}"


def full_moment(at: datetime) -> str:
    """Tuesday 24 November 2026, 16:10:05 UTC."""
    at = timezone.localtime(at)
    return f"{at:%A} {at.day} {at:%B %Y}, {at:%H:%M:%S} {at.tzname()}"
