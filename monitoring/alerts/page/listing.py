"""The lists of alerts: open, resolved, suppressed, and silences."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from lifecycle.ui import paging
from lifecycle.ui.forms import filters_in
from monitoring.alerts import queries
from monitoring.alerts.forms import FilterForm, SilenceForm, SuppressedForm
from monitoring.alerts.models import Silence
from monitoring.alerts.page.budget import line_of
from monitoring.alerts.page.detail import check_line
from monitoring.alerts.page.endpoint import watch
from monitoring.traffic.rules import DAY
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.access.roles import sentence

TABS = (
    ("Alerts", "alerts:list"),
    ("Suppressed", "alerts:suppressed"),
    ("Silences", "alerts:silences"),
    ("Channels", "alerts:channels"),
)


def tabs(current: str) -> list[dict[str, Any]]:
    """The views of alerts."""
    return [{"label": label, "url": reverse(name), "current": name == current} for label, name in TABS]


def alerts(
    user: User, given: dict[str, str], before: int | None, now: datetime | None = None
) -> dict[str, Any]:
    """Open alerts first, budgets beside them, then the past."""
    now = now or timezone.now()
    form = FilterForm(given, user=user)
    filters = form.filters
    rows, older = queries.page_of(user, filters, before)
    return {
        "tabs": tabs("alerts:list"),
        "open": queries.open_alerts(user),
        "budgets": [line_of(row) for row in queries.objectives_of(user)],
        "rows": rows,
        "form": form,
        "filtered": filters.any,
        "held": queries.held_back(user, now - DAY),
        "pager": paging.links(before, older, kept=filters_of(given)),
        "watch": watch(now),
        "endpoints": queries.endpoints(user),
    }


def filters_of(given: dict[str, str]) -> str:
    """The filters of an address, as its pages keep them."""
    return urlencode({name: value for name, value in given.items() if name != "before" and value})


def suppressed(user: User, given: dict[str, str], before: int | None) -> dict[str, Any]:
    """Conditions that notified no one."""
    form = SuppressedForm(given, user=user)
    chosen = filters_in(form)
    rows, older = queries.suppressed(user, endpoint=chosen["endpoint"], why=chosen["why"], before=before)
    return {
        "tabs": tabs("alerts:suppressed"),
        "lines": [check_line(row) for row in rows],
        "form": form,
        "filtered": any(chosen.values()),
        "pager": paging.links(before, older, kept=filters_of(given)),
    }


def silences(user: User, form: SilenceForm | None = None, where: str = "") -> dict[str, Any]:
    """What holds, what did, and the form. where: what the form is about at first."""
    hold, over = queries.silences(user, timezone.now())
    may = policy.can_somewhere(user, "alerts.silence")
    first = {"where": where, "hours": 4}
    return {
        "tabs": tabs("alerts:silences"),
        "hold": hold,
        "over": over,
        "form": form or SilenceForm(user=user, initial=first),
        "why_not": "" if may else sentence("alerts.silence"),
        "mine": set(policy.visible_to(user, Silence, "alerts.silence").values_list("pk", flat=True)),
    }
