"""A refusal that changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.apps import apps

from lifecycle.runtime.refusals import Refused

APPS = ("jobs", "ledger", "training", "evaluation", "catalog", "endpoints", "promotions", "labeling", "datasets", "snapshots")


def counted() -> dict[str, int]:
    """How many rows each table of these rooms has."""
    return {model.__name__: model.objects.count() for model in apps.get_models() if model._meta.app_label in APPS}


@contextmanager
def refused(*fields: str, match: str | None = None) -> Iterator[pytest.ExceptionInfo[Refused]]:
    """What is inside is refused in a sentence that names these fields, and no table has a row more or less."""
    before = counted()
    with pytest.raises(Refused, match=match) as refusal:
        yield refusal
    assert refusal.value.message.endswith(".")
    assert set(refusal.value.fields) == set(fields)
    assert counted() == before
