"""An endpoint on which 1.0.0 is live, evaluated on 60 rows, and traffic as its rollups would have it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from datasets_app.snapshots.models import Snapshot
from monitoring.drift import actions, queries, reference
from monitoring.drift.rules import DAY, Span
from monitoring.traffic import actions as figures
from monitoring.traffic.models import MinuteRollup
from registry.catalog import actions as catalog
from registry.catalog.models import Alias, Endpoint, ModelVersion
from registry.endpoints.models import Deployment
from registry.ground.access.models import Project, User
from tests.support.endpoints import deployed_endpoint, spool_line, write_segment
from tests.support.jobs import run_ok
from tests.support.registry import STATED, make_endpoint, make_model
from tests.support.training import make_run

NOW = datetime(2026, 3, 20, 12, 0, tzinfo=UTC)
EVEN = {"billing": 200, "delivery": 200, "refund": 200}
ONE_SIDED = {"billing": 380, "delivery": 110, "refund": 110}  # twice the limit
ABRUPT = {"billing": 550, "delivery": 25, "refund": 25}  # ten times


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """What is read is read at NOW: the days of March are not older than what counts."""
    monkeypatch.setattr(queries, "timezone", SimpleNamespace(now=lambda: NOW))


@pytest.fixture
def live_endpoint(project, mia, ravi, lee, gita, omar) -> Endpoint:
    """1.0.0 is live, evaluated on few rows: they leave room between what is over its limit and what is far
    over it.
    """
    return deployed_endpoint(project, test=60)


def day(number: int) -> Span:
    """A day of March."""
    start = datetime(2026, 3, 1, tzinfo=UTC) + (number - 1) * DAY
    return Span(start, start + DAY)


def live_from(project: Project, mia: User, snapshot: Snapshot) -> Endpoint:
    """An endpoint on which a version is live that was trained on a dataset version, and evaluated on its test
    split. Deployed as a row, without the gates of a promotion.
    """
    run = make_run(snapshot, mia, accuracy=0.9, splits=("test",))
    catalog.register(model=make_model(project, mia), run=run, semver="1.0.0", actor=mia, stated=STATED)
    run_ok("default")
    version = ModelVersion.objects.get()
    endpoint = make_endpoint(version.model, mia)
    Alias.objects.filter(endpoint=endpoint).update(version=version)
    Deployment.objects.create(endpoint=endpoint, version=version, cause=Deployment.Cause.ROLLBACK, epoch=1)
    return Endpoint.objects.get(pk=endpoint.pk)


@pytest.fixture
def without_words(monkeypatch) -> None:
    """Unknown words aren't counted: the made-up tokenizer can't be loaded."""
    monkeypatch.setattr(reference, "oov_shares", lambda *_: None)


def send(endpoint: Endpoint, number: int, rows: Sequence[tuple[str, dict[str, Any]]], **more: Any) -> None:
    """A request on a day of March: texts with the entries of their predictions, as the server spools them."""
    at = (day(number).start + timedelta(hours=9)).isoformat(timespec="milliseconds")
    line = spool_line(endpoint, *((text, "", 0.5) for text, _ in rows), at=at, **more)
    write_segment(line | {"outputs": [entry for _, entry in rows]}, name=f"{line['uuid']}.jsonl")
    figures.ingest()


class Traffic:
    """Rollups of minutes, written directly."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    def write(
        self,
        at: datetime,
        labels: dict[str, int] | None = None,
        *,
        version: Any = None,
        arm: str = "stable",
        **more: Any,
    ):
        """So many answers in the minute after `at`, as confident and as long as those of the evaluation
        unless given otherwise.
        """
        labels = EVEN if labels is None else labels
        n = sum(labels.values())
        fields: dict[str, Any] = {
            "requests": n,
            "answers": n,
            "labels": labels,
            "confidence": {"48": n},
            "chars": self.lengths(n),
            "oov": {},
        }
        return MinuteRollup.objects.create(
            endpoint=self.endpoint,
            version=version or self.endpoint.alias.version,
            start=at,
            arm=arm,
            **(fields | more),
        )

    def lengths(self, n: int) -> dict[str, int]:
        """n lengths spread as those of the evaluation."""
        known = actions.baseline(self.endpoint.alias.version).histograms["chars"]
        shares = {key: n * count // sum(known.values()) for key, count in known.items()}
        first = next(iter(shares))
        return shares | {first: shares[first] + n - sum(shares.values())}

    def measure(self, number: int, labels: dict[str, int] | None = None, **more: Any):
        """A day with that traffic, measured."""
        span = day(number)
        self.write(span.start + timedelta(hours=9), labels, **more)
        return actions.measure(self.endpoint, self.endpoint.alias.version, span)


@pytest.fixture
def traffic(live_endpoint) -> Traffic:
    return Traffic(live_endpoint)
