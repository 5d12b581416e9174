"""Whether clients reach the inference servers: asked every few seconds, so that an outage in which no server
wrote a line has its cost.

Figures come from lines that servers write. When none runs there are no lines, and an objective of
availability would hold by silence. So the serving port is asked every five seconds on a connection of its
own. A probe fails where no server can have written a line: the connection is refused or breaks, nothing comes
within two seconds, or whatever is in front answers with 5xx (a server's own /v2/health/live never does; its
503 for a request is a line like any other, and isn't counted here a second time).

A minute then costs each endpoint that is live

    lost = failed / probes × e      requests, each both asked and failed; kept in thousandths
    e = (requests − refused − shed + lost) / 60      of the hour before the outage

that is the failed share of the requests that were to be expected. The outage is the unbroken row of minutes
with a failed probe, so that a long one is held to the traffic before it and not to its own silence. Why
requests and not the probes themselves: twelve probes a minute are nothing beside a thousand requests and
would drown the failures of an endpoint that is asked ten times a day. So a quiet endpoint loses little, and
one that no one had asked for an hour loses nothing. A minute without probes (no worker ran) says nothing. A
client that was refused and asks again is counted twice, as it is with a 5xx. What waited for longer than a
probe waits and was answered then is counted as lost and as answered: it was both.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import httpx
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from monitoring.traffic.actions.deposit import Place, deposit
from monitoring.traffic.counts import Counts
from monitoring.traffic.models import ProbeMinute
from monitoring.traffic.queries import totals
from monitoring.traffic.rules import DAY, HOUR, MINUTE, floor
from registry.catalog.models import Endpoint
from registry.endpoints.queries.deployments import live

TIMEOUT_SECONDS = 2.0
SETTLED = 2 * MINUTE  # after its begin a minute is over, and its lines are read


def probe(now: datetime | None = None) -> bool | None:
    """Ask once and keep its result; None where nothing is live, so that no one is to be answered."""
    now = now or timezone.now()
    if not live().exists():
        return None
    answered = answers()
    row, _ = ProbeMinute.objects.get_or_create(start=floor(now, MINUTE))
    ProbeMinute.objects.filter(pk=row.pk).update(
        probes=F("probes") + 1, failed=F("failed") + int(not answered)
    )
    return answered


def answers() -> bool:
    """Whether someone answers on the serving port, and not with a failure."""
    try:
        return not httpx.get(
            f"{settings.INFERENCE_URL}/v2/health/live", timeout=TIMEOUT_SECONDS, trust_env=False
        ).is_server_error
    except httpx.HTTPError:
        return False


def count_lost(now: datetime | None = None) -> int:
    """Add what was lost in minutes that are over to the figures, each minute once. Returns how many minutes
    had lost something.
    """
    now = now or timezone.now()
    waiting = ProbeMinute.objects.filter(counted_at=None, start__lte=now - SETTLED).order_by("start")
    return sum(count_minute(key, now) for key in list(waiting.values_list("pk", flat=True)))


@transaction.atomic
def count_minute(key: int, now: datetime) -> bool:
    """One minute; False where all probes were answered, or someone else has counted it."""
    row = ProbeMinute.objects.select_for_update().filter(pk=key, counted_at=None).first()
    if row is None:
        return False
    if row.failed:
        begin, endpoints = (
            outage_began(row.start),
            [each.endpoint for each in live().select_related("endpoint")],
        )
        lost = {
            Place(pk, None, "", row.start): Counts(lost_milli=milli)
            for pk, expected in expected_of(endpoints, begin).items()
            if (milli := round(1000 * expected * row.failed / row.probes))
        }
        deposit(lost, now)
    row.counted_at = now
    row.save(update_fields=["counted_at"])
    return bool(row.failed)


def outage_began(start: datetime) -> datetime:
    """The first of the minutes before this one, at most a day of them, in each of which a probe failed."""
    failing = set(
        ProbeMinute.objects.filter(failed__gt=0, start__lt=start, start__gte=start - DAY).values_list(
            "start", flat=True
        )
    )
    while start - MINUTE in failing:
        start -= MINUTE
    return start


def expected_of(endpoints: Sequence[Endpoint], begin: datetime) -> dict[int, float]:
    """Requests a minute in the hour before, by endpoint."""
    found = totals(endpoints, begin - HOUR, begin)
    return {pk: (total.taken + total.lost_milli / 1000) / (HOUR / MINUTE) for pk, total in found.items()}


def forget_probes(now: datetime) -> int:
    """Delete the minutes that were counted and are older than minutes are kept."""
    limit = now - timedelta(days=settings.MINUTE_DAYS)
    deleted, _ = ProbeMinute.objects.filter(start__lt=limit, counted_at__isnull=False).delete()
    return deleted
