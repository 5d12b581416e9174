"""Parsing times in files. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

EPOCH = re.compile(r"\d{9,10}(\.\d+)?|\d{13}")


def read_time(word: str) -> datetime | None:
    """ISO 8601 (UTC where no zone is given) or Unix seconds or milliseconds; None for anything else."""
    try:
        if EPOCH.fullmatch(word):
            return datetime.fromtimestamp(
                float(word) / (1000 if len(word) == 13 and word.isdigit() else 1), UTC
            )
        moment = datetime.fromisoformat(word)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
