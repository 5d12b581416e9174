"""A refusal that changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.apps import apps

from lifecycle.runtime.refusals import Refused

ROOMS = (
    "jobs", "ledger", "datasets", "schemas", "prelabels", "queues", "quality", "review", "exchange", "assist", "scanning", "snapshots",
    "training", "evaluation", "catalog", "endpoints", "promotions",
)  # fmt: skip


def counted() -> dict[str, int]:
    """How many rows each table of these rooms has."""
    return {model._meta.label: model.objects.count() for room in ROOMS for model in apps.get_app_config(room).get_models()}


@contextmanager
def refused(*fields: str, match: str | None = None) -> Iterator[pytest.ExceptionInfo[Refused]]:
    """What is inside is refused in a sentence that names these fields, and no table has a row more or less."""
    before = counted()
    with pytest.raises(Refused, match=match) as refusal:
        yield refusal
    assert refusal.value.message.endswith(".")
    assert set(refusal.value.fields) == set(fields)
    assert counted() == before
