"""What the pages of traffic show. Reads, never writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.conf import settings
from django.http import QueryDict
from django.utils import timezone

from lifecycle.runtime.words import things
from lifecycle.ui import paging
from lifecycle.ui.addresses import find_url
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import GAP, count, decimals, money, percent, signed, significant
from monitoring.traffic import charts, keyset, queries
from monitoring.traffic.forms import FeedbackForm, KpiForm, OutcomeForm
from monitoring.traffic.models import Kpi, Prediction
from monitoring.traffic.outcomes import LARGEST, LEAST, SUBJECTS_LEAST
from monitoring.traffic.queries import Comparison, Total
from monitoring.traffic.rules import DAY, FEEDBACK_LEAST, MINUTE, SHADOW, WINDOWS, Window, floor
from monitoring.traffic.senders import asked_by
from monitoring.traffic.written import written
from registry.catalog.models import Endpoint
from registry.endpoints.queries.deployments import shadow_of
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.access.roles import sentence


def panels(endpoint: Endpoint, key: str, *, full: bool) -> dict[str, Any]:
    """The figures and charts of a window. key: one of WINDOWS; else the smallest that has traffic. full: all
    charts, not three.
    """
    window = WINDOWS.get(key) or busy_window(endpoint)
    since, until = window.span(timezone.now())
    points = queries.series(endpoint, since, until, window.step)
    total = queries.whole(points)
    measured = any(point.arms for point in points)
    shown = {
        "endpoint": endpoint,
        "window": window,
        "windows": list(WINDOWS.values()),
        "total": total,
        "measured": measured,
        "full": full,
        "drift_url": find_url("drift:endpoint", uuid=endpoint.uuid),
    }
    if measured:
        drawn: list[tuple[str, Any]] = [
            ("Volume", charts.volume),
            ("Latency", charts.latency),
            ("Errors", charts.errors),
        ]
        if full:
            shown["written"] = written(endpoint, points)
            drawn += [("Labels", charts.labels), ("Confidence", charts.confidence)]
        shown |= {
            "figures": figures(total),
            "charts": [(title, draw(points, total)) for title, draw in drawn],
        }
    return shown


def busy_window(endpoint: Endpoint) -> Window:
    """The smallest window that holds the newest request; the first where none does."""
    newest, now = queries.newest_at(endpoint), timezone.now()
    return next((each for each in WINDOWS.values() if newest and newest > now - each.length), WINDOWS["1h"])


def figures(total: Total) -> list[Figure]:
    """The strip above the charts."""
    right, cost = total.right_interval, total.cost_per_million
    return [
        Figure("Requests", count(total.requests), sub=f"{decimals(total.per_minute or 0.0, 1)} a minute"),
        Figure("p50 latency", number(total.p50_ms), "ms", "on the server"),
        Figure("p95 latency", number(total.p95_ms), "ms", "on the server"),
        Figure(
            "Errors",
            None if total.error_share is None else percent(total.error_share, 2, (0, 1)),
            sub=failed(total),
        ),
        Figure(
            "Correct (from feedback)",
            percent(right.value, 1) if right else None,
            sub=(
                f"{percent(right.low, 1)} to {percent(right.high, 1)} of {count(right.rows)},"
                f" {asked_by(right.senders)}"
                if right
                else few(total.judged)
            ),
        ),
        Figure(
            "Cost per 1 M predictions",
            None if cost is None else money(cost),
            settings.CURRENCY if cost is not None else "",
            sub="engine CPU time" if cost is not None else without_cost(),
        ),
    ]


def failed(total: Total) -> str:
    """How many requests failed, and how many no server could take, which are in no other figure."""
    lost = f", about {count(total.lost)} lost" if total.lost else ""
    return f"{things(total.errors, 'request')}{lost}"


def few(judged: int) -> str:
    """Why no share of correct predictions is shown."""
    return (
        f"{things(judged, 'prediction')} with feedback; {FEEDBACK_LEAST} needed"
        if judged
        else "no feedback yet"
    )


def without_cost() -> str:
    """Why the cost is not measured."""
    return "set PRICE_PER_CORE_HOUR" if settings.PRICE_PER_CORE_HOUR is None else "no CPU time reported"


def number(value: float | None) -> str | None:
    """A figure, or None where nothing was measured."""
    return None if value is None else decimals(value, 1)


def recent(user: User, endpoint: Endpoint, given: Mapping[str, str]) -> dict[str, Any]:
    """One page of predictions by keyset; with `few`, the newest of them beside other things."""
    key, few = keyset.read(given.get("before", "")), "few" in given
    rows, older = queries.recent(user, endpoint, key, queries.FEW if few else queries.PAGE)
    return {
        "endpoint": endpoint,
        "rows": rows,
        "lines": [(row, queries.right_words(row)) for row in rows],
        "reads": queries.reads_texts(user, endpoint),
        "few": few,
        "pager": paging.links(key, keyset.written(older) if older else None),
    }


def prediction(user: User, found: Prediction, form: FeedbackForm | None = None) -> dict[str, Any]:
    """One prediction with its feedback, shadow answers, and outcomes. Its texts are blanked for those who may
    not read them.
    """
    history, reads = queries.history(found), queries.reads_texts(user, found.endpoint)
    shown = reads or not found.is_written
    if not reads:
        queries.hide_texts(found)
    return {
        "prediction": found,
        "words": queries.words_of(found, found.value, found.label),
        "reads": reads,
        "candidates": queries.candidates(found),
        "history": [
            (each, queries.words_of(found, each.value if shown else None, each.label)) for each in history
        ],
        "form": form or feedback_form(found),
        "may_say": policy.can(user, "traffic.record_feedback", found),
        "endpoint_url": find_url("endpoints:detail", uuid=found.endpoint.uuid),
        "version_url": find_url("catalog:version", uuid=found.version.uuid) if found.version else "",
        "trace_url": find_url("trace:prediction", uuid=found.uuid) if found.version else "",
        "deployment": queries.deployment_of(found),
        "shadows": queries.shadow_answers(found),
        "outcomes": list(found.outcomes.select_related("kpi").order_by("id")[: queries.FEW]),
    }


def feedback_form(found: Prediction, given: QueryDict | None = None) -> FeedbackForm:
    """The form for feedback on a prediction, with the labels of its version."""
    version = found.version
    labels = queries.labels_of(version) if version else []
    return FeedbackForm(
        given, task_type=queries.task_of(version), labels=labels, keeps_text=found.endpoint.keep_text
    )


def shadow(user: User, endpoint: Endpoint, given: Mapping[str, str]) -> dict[str, Any]:
    """How far the shadow version agrees with what clients got, over seven days, and where it does not; with
    `few`, the newest of them.
    """
    key, few = keyset.read(given.get("before", "")), "few" in given
    running = shadow_of(endpoint)
    until = floor(timezone.now(), MINUTE) + MINUTE
    total = queries.total(
        endpoint, until - 7 * DAY, until, version=running.version if running else None, arm=SHADOW
    )
    rows, older = queries.disagreements(user, endpoint, key, queries.FEW if few else queries.PAGE)
    agree = total.agree_interval
    return {
        "endpoint": endpoint,
        "running": running,
        "total": total,
        "agree": agree,
        "rows": rows,
        "few": few,
        "by": asked_by(agree.senders) if agree else "",
        "reads": queries.reads_texts(user, endpoint),
        "pager": paging.links(key, keyset.written(older) if older else None),
    }


def kpis(user: User, endpoint: Endpoint, form: KpiForm | None = None) -> dict[str, Any]:
    """The business figures of an endpoint over 90 days, and the form for a new one."""
    until = floor(timezone.now(), DAY) + DAY
    return {
        "endpoint": endpoint,
        "days": 90,
        "rows": [
            (each, difference(each))
            for each in queries.comparisons(queries.kpis(endpoint), until - 90 * DAY, until)
        ],
        "form": form or KpiForm(),
        "may_define": policy.can(user, "traffic.define_kpi", endpoint),
        "why_not": sentence("traffic.define_kpi"),
    }


PERIODS = {"30d": 30, "90d": 90, "365d": 365}


def kpi(user: User, found: Kpi, key: str, form: OutcomeForm | None = None) -> dict[str, Any]:
    """One business figure: model against hold-out, by week, and what was reported last. key: one of PERIODS,
    90d where it is none.
    """
    days = PERIODS.get(key, 90)
    until = floor(timezone.now(), DAY) + DAY
    since = until - days * DAY
    weeks = queries.weeks(found, since, until)
    is_share = found.kind == Kpi.Kind.SHARE
    comparison = queries.compare(found, since, until)
    measured = comparison.n > 0
    return {
        "kpi": found,
        "endpoint": found.endpoint,
        "comparison": comparison,
        "days": days,
        "periods": PERIODS,
        "is_share": is_share,
        "figures": kpi_figures(comparison, is_share=is_share),
        "measured": measured,
        "chart": charts.kpi(found.name, found.unit, is_share, weeks) if measured else None,
        "newest": queries.newest_outcomes(found, queries.FEW),
        "form": form or OutcomeForm(),
        "may_record": policy.can(user, "traffic.record_outcomes", found),
        "curl": curl(found),
    }


def kpi_figures(found: Comparison, *, is_share: bool) -> list[Figure]:
    """The strip of a business figure."""
    unit, apart = "" if is_share else found.kpi.unit, difference(found)

    def format_value(value: float | None) -> str | None:
        return None if value is None else percent(value, 1) if is_share else significant(value, 4)

    return [
        Figure("With the model", format_value(found.model_mean), unit, f"{count(found.model.n)} cases"),
        Figure("Hold-out", format_value(found.holdout_mean), unit, f"{count(found.holdout.n)} cases"),
        Figure(
            "Difference", apart.value if apart else None, apart.unit if apart else "", interval(found, apart)
        ),
        Figure(
            "Hold-out share",
            None if not found.subjects else percent(found.holdout.subjects / found.subjects, 1),
            sub=split_of(found),
        ),
    ]


def split_of(found: Comparison) -> str:
    """What the share of subjects that were held out is compared with."""
    wanted = f"{percent(found.kpi.holdout_share, 1)} expected"
    if found.ratio_p is None:
        return wanted
    return (
        f"of {things(found.subjects, 'new subject')}; {wanted}; p"
        f" {'below 0.001' if found.mismatch else decimals(found.ratio_p, 3)}"
    )


class Difference(NamedTuple):
    """A difference with the ends of its interval, as people read it on every page. unit: points of a share,
    else the figure's.
    """

    value: str
    low: str
    high: str
    unit: str

    @property
    def with_unit(self) -> str:
        """−0.008 EUR, +40.0 points."""
        return f"{self.value}{GAP}{self.unit}" if self.unit else self.value

    @property
    def text(self) -> str:
        """The value with its interval, as text."""
        return f"{self.with_unit}, {self.low} to {self.high}, valid at any time"


def difference(found: Comparison) -> Difference | None:
    """Model minus hold-out; None where there is none."""
    if found.difference is None:
        return None
    factor, digits, unit = (100, 1, "points") if found.kpi.kind == Kpi.Kind.SHARE else (1, 3, found.kpi.unit)
    value, low, high = (
        signed(end * factor, digits, (0,))
        for end in (found.difference.value, found.difference.low, found.difference.high)
    )
    return Difference(value, low, high, unit)


def interval(found: Comparison, apart: Difference | None) -> str:
    """The interval of a difference in words."""
    if apart is None:
        if min(found.model.filled, found.holdout.filled) < LEAST[found.kpi.kind]:
            return f"needs about {SUBJECTS_LEAST[found.kpi.kind]} subjects in each arm"
        if max(found.model.largest, found.holdout.largest) > LARGEST:
            return f"not enough data: few subjects have more than {percent(LARGEST)} of the cases of an arm"
        return "no interval: all values in each arm are the same"
    return f"{apart.low} to {apart.high}, valid at any time"


def curl(kpi: Kpi) -> str:
    """How a program reports the result of a case."""
    body = {
        "outcomes": [
            {
                "uuid": "6f1c2c0a-…",
                "arm": "model",
                "value": 1,
                "at": "2026-11-25T10:00:00Z",
                "subject": "customer 7",
            }
        ]
    }
    return (
        f"curl -X POST {settings.SITE_URL}/api/v1/kpis/{kpi.uuid}/outcomes/ \\\n"
        '  -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\\n  -d'
        f" '{json.dumps(body, ensure_ascii=False)}'"
    )
