"""What processor time costs."""

from __future__ import annotations

from django.conf import settings

MANY = 1_000_000  # answers, whose price is a number that people can read


def price_of(cpu_seconds: float) -> float | None:
    """At PRICE_PER_CORE_HOUR, in CURRENCY; None where the installation has none."""
    return None if settings.PRICE_PER_CORE_HOUR is None else cpu_seconds / 3600 * settings.PRICE_PER_CORE_HOUR


def price_per_million(cpu_us: float, answers: int) -> float | None:
    """Of a million answers, of which so many took so many microseconds; None without a price or an answer."""
    return price_of(MANY * cpu_us / 1e6 / answers) if answers else None
