"""Prices of CPU time."""

from __future__ import annotations

from django.conf import settings

MANY = 1_000_000  # predictions, so that the price is a readable number


def price_of(cpu_seconds: float) -> float | None:
    """The price at PRICE_PER_CORE_HOUR, in CURRENCY; None where no price is set."""
    return None if settings.PRICE_PER_CORE_HOUR is None else cpu_seconds / 3600 * settings.PRICE_PER_CORE_HOUR


def price_per_million(cpu_us: float, answers: int) -> float | None:
    """The price of a million predictions, given the CPU time of `answers` of them in µs; None without a price
    or a prediction.
    """
    return price_of(MANY * cpu_us / 1e6 / answers) if answers else None
