"""What the pages of alerts show, put together from what is stored. Reads, never writes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from lifecycle.notices import sending
from lifecycle.notices.models import Channel, Delivery
from lifecycle.ui.addresses import find_url
from lifecycle.ui.charts import Chart
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import count, decimals, duration, moment, percent
from monitoring.alerts import charts, queries
from monitoring.alerts.actions.evaluating import count_of
from monitoring.alerts.forms import ChannelForm, FilterForm, ObjectiveForm, SilenceForm, SuppressedForm
from monitoring.alerts.models import Alert, Check, Objective, Silence
from monitoring.alerts.rules import objectives as rules
from monitoring.alerts.rules import text
from monitoring.alerts.rules.burn import ROWS, Budget, Count
from monitoring.alerts.rules.objectives import GOOD, Kind, Proposal
from monitoring.alerts.rules.state import OBJECTIVE_SOURCE, Answer, Severity, Why, is_missed
from monitoring.traffic import queries as traffic
from monitoring.traffic.rules import DAY, HOUR, ceil
from registry.access import policy
from registry.access.models import User
from registry.access.roles import sentence
from registry.audit.queries import history_of
from registry.catalog.models import Endpoint, ModelVersion

STEP = 6 * HOUR
LOW = 0.25  # of a budget: below it somebody should look
ANSWER_MARKS = {Answer.OK: "ok", Answer.FIRING: "bad", Answer.INSUFFICIENT: "half", Answer.SUPPRESSED: "stop"}
TABS = (("Alerts", "alerts:list"), ("Not said", "alerts:suppressed"), ("Silences", "alerts:silences"), ("Channels", "alerts:channels"))


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """One error budget. share: left, 0 to 1, None where nothing was measured; kind: of the bar."""

    objective: Objective
    title: str
    said: str
    share: float | None
    kind: str


@dataclass(frozen=True, slots=True)
class BurnLine:
    """One row of the table of burn rates, as the last evaluation measured it."""

    severity: str
    name: str
    limit: float
    long: float | None
    short: float | None
    mark: str
    word: str


@dataclass(frozen=True, slots=True)
class Held:
    """One kind of objective on an endpoint: what is set, or what is proposed."""

    kind: Kind
    objective: Objective | None
    proposal: Proposal | None
    form: ObjectiveForm
    line: BudgetLine | None
    rows: list[BurnLine]
    chart: Chart | None
    mark: str
    word: str
    warnings: list[str]

    @property
    def good(self) -> str:
        """What is good, in words."""
        return GOOD[self.kind]


def tabs(current: str) -> list[dict[str, Any]]:
    """The views of alerts."""
    return [{"label": label, "url": reverse(name), "current": name == current} for label, name in TABS]


def listing(user: User, given: dict[str, str], before: int | None, now: datetime | None = None) -> dict[str, Any]:
    """Open alerts first, budgets beside them, then the past."""
    now = now or timezone.now()
    form = FilterForm(given, user=user)
    filters = form.filters
    rows, older = queries.page_of(user, filters, before)
    return {
        "tabs": tabs("alerts:list"), "open": queries.open_alerts(user), "budgets": [line_of(row) for row in queries.objectives_of(user)],
        "rows": rows, "form": form, "filtered": filters.any, "held": queries.held_back(user, now - DAY),
        "pager": pager(given, before, older, "before"), "watch": watch(now), "endpoints": queries.endpoints(user),
    }  # fmt: skip


def watch(now: datetime) -> dict[str, Any]:
    """When alerts were last evaluated, and whether that is too long ago."""
    last = queries.last_beat()
    return {"last": last, "late": last is not None and is_missed(last, last, now)}


def pager(given: dict[str, str], before: int | None, older: int | None, name: str) -> dict[str, Any]:
    """Links to the newest and to the next page, with the filters kept."""
    kept = urlencode({key: value for key, value in given.items() if key != name and value})
    return {"previous": f"?{kept}" if before else "", "next": f"?{kept}{'&' if kept else ''}{name}={older}" if older else "", "about": None}


def line_of(objective: Objective) -> BudgetLine:
    """A budget as a bar with a sentence."""
    title = f"{objective.get_kind_display()} {rules.share(objective.target)}"
    if objective.threshold_ms:
        title = f"{rules.share(objective.target)} within {decimals(objective.threshold_ms, 0)}\u00a0ms"
    found = queries.budget(objective)
    if found is None or found.left is None:
        return BudgetLine(objective, title, "not measured", None, "ghost")
    kind = "bad" if found.left <= 0 else "warn" if found.left < LOW else "ok"
    return BudgetLine(objective, title, left_text(found), max(0.0, found.left), kind)


def left_text(found: Budget) -> str:
    """64 % left, 3.2 days at this rate."""
    left = found.left or 0.0
    if left <= 0:
        return f"spent, {percent(-left)} over" if left < -0.005 else "spent"
    soon = f", {decimals(found.days_left, 1)} days at this rate" if found.days_left is not None and found.days_left < 30 else ""
    return f"{percent(left)} left{soon}"


def detail(user: User, alert: Alert, form: Any = None) -> dict[str, Any]:
    """One alert: what happens, what to do, what the rule measured, what was done about it."""
    checks, now = queries.checks_of(alert), timezone.now()
    ends = alert.resolved_at or now
    may = policy.can(user, "alerts.acknowledge", alert)
    why_not = "" if may else sentence("alerts.acknowledge")
    burns_still = alert.source == OBJECTIVE_SOURCE and alert.is_open and alert.calm == 0
    return {
        "alert": alert, "checks": checks, "lines": [check_line(check) for check in checks], "chart": burn_chart(alert, checks),
        "figures": figures(alert, ends), "steps": text.steps(alert.source), "events": history_of(alert.uuid), "form": form,
        "why_not": why_not, "why_not_resolve": why_not or ("It still burns; it ends by itself when the rate falls." if burns_still else ""),
        "beside": queries.beside(alert) if alert.is_open else [], "held": queries.held_back_of(alert),
        "silences": queries.silences_on(alert, now) if alert.is_open else [],
        "deliveries": [sent(row) for row in queries.deliveries_of(alert)],
        "seen": {"seen": alert.state}, "links": links(alert), "rows": [row.name for row in ROWS],
        "silence_url": silence_url(alert),
        "dialog": f"{alert.title}. It ends for everybody; if it comes back it is a new alert.",
    }  # fmt: skip


def silence_url(alert: Alert) -> str:
    """The form that silences what an alert is about."""
    about = f"endpoint:{alert.endpoint.uuid}" if alert.endpoint else f"project:{alert.project.uuid}"
    return f"{reverse('alerts:silences')}?where={about}"


def figures(alert: Alert, ends: datetime) -> list[Figure]:
    """The strip above."""
    value = decimals(alert.value, 2) if alert.value is not None else None
    name = "Burn rate" if alert.source == OBJECTIVE_SOURCE else "Value"
    return [
        Figure("Began", moment(alert.first_at, timezone.now()), sub="UTC"),
        Figure("Lasts" if alert.is_open else "Lasted", duration((ends - alert.first_at).total_seconds())),
        Figure("Seen", count(alert.count), sub=f"last {moment(alert.last_at, timezone.now())}"),
        Figure(name, value, sub="when last seen" if value else ""),
        Figure(
            "Said", moment(alert.told_at, timezone.now()) if alert.told_at else "not said", sub="" if alert.told_at else "see below why"
        ),
    ]


def links(alert: Alert) -> list[tuple[str, str]]:
    """Where something can be done."""
    found = [("The page behind it", alert.url)] if alert.url.startswith("/") and not alert.url.startswith("//") else []
    if alert.endpoint:
        uuid = alert.endpoint.uuid
        found.append((f"Endpoint {alert.endpoint.slug}: roll back", reverse("endpoints:detail", args=[uuid])))
        found.append(("Traffic and recent answers", find_url("traffic:endpoint", uuid=uuid)))
        found.append(("Drift", find_url("drift:endpoint", uuid=uuid)))
    kept: list[tuple[str, str]] = []
    for name, url in found:
        if url and url not in [each for _, each in kept]:
            kept.append((name, url))
    return kept


def check_line(check: Check) -> dict[str, Any]:
    """One line of the log, with its mark."""
    reason = Why(check.why).label if check.why else ""
    return {
        "check": check, "mark": ANSWER_MARKS[Answer(check.state)], "word": Answer(check.state).label, "reason": reason,
        "burns": [pair[0] if pair else None for pair in check.burns],
    }  # fmt: skip


def burn_chart(alert: Alert, checks: list[Check]) -> Chart | None:
    """The row of the table that the alert is about: the quickest of its severity that fired, else the first."""
    measured = [check for check in reversed(checks) if len(check.burns) == len(ROWS)]
    if alert.source != OBJECTIVE_SOURCE or len(measured) < 2 or measured[0].objective_id is None:
        return None
    objective = Objective.objects.get(pk=measured[0].objective_id)
    window, mine = timedelta(days=objective.window_days), [at for at, row in enumerate(ROWS) if row.severity == alert.severity]

    def fired(at: int) -> bool:
        return any(min(check.burns[at][0] or 0, check.burns[at][1] or 0) > ROWS[at].burn(window) for check in measured)

    return charts.burns(measured, next(filter(fired, mine), mine[0]), objective.window_days)


def sent(row: Delivery) -> dict[str, Any]:
    """A message and how it went."""
    marks = {"waiting": "wait", "sent": "ok", "failed": "bad"}
    return {"row": row, "mark": marks[row.state], "word": row.get_state_display()}


def endpoint(user: User, found: Endpoint, form: ObjectiveForm | None = None, kind: str = "") -> dict[str, Any]:
    """The objectives of an endpoint with their budgets. form, kind: one that was just refused."""
    now = timezone.now()
    set_ = {row.kind: row for row in queries.objectives(found)}
    points = series(found, [row for row in set_.values() if row.is_on], now)
    total = traffic.total(found, ceil(now, HOUR) - 7 * DAY, ceil(now, HOUR)) if len(set_) < len(Kind) else None
    lines = [
        held(found, Kind(each), set_.get(each), points, proposal(found, Kind(each), total) if total and each not in set_ else None,
             form if each == kind else None)
        for each in Kind
    ]  # fmt: skip
    why_not = "" if policy.can(user, "alerts.manage", found) else sentence("alerts.manage")
    return {
        "endpoint": found, "held": lines, "open": queries.open_of(found), "why_not": why_not, "watch": watch(now),
        "measured_at": max((row.read_at for row in set_.values() if row.read_at), default=None), "any": any(line.chart for line in lines),
        "silence_url": f"{reverse('alerts:silences')}?where=endpoint:{found.uuid}",
    }  # fmt: skip


def series(found: Endpoint, objectives: list[Objective], now: datetime) -> list[traffic.Point]:
    """The longest window in steps of six hours, read once for all."""
    if not objectives:
        return []
    until = ceil(now, STEP)
    return traffic.series(found, until - timedelta(days=max(row.window_days for row in objectives)), until, STEP)


def held(
    found: Endpoint, kind: Kind, objective: Objective | None, points: list[traffic.Point], proposed: Proposal | None,
    form: ObjectiveForm | None,
) -> Held:  # fmt: skip
    """One kind, ready to be shown."""
    on = objective if objective and objective.is_on else None
    mark, word = standing(objective)
    return Held(
        kind=kind, objective=objective, proposal=proposed, form=form or ObjectiveForm.of(kind, found, objective, proposed),
        line=line_of(on) if on else None, rows=burn_lines(on) if on else [], chart=budget_chart(on, points) if on else None,
        mark=mark, word=word, warnings=rules.warnings(on.target, on.window_days) if on else [],
    )  # fmt: skip


def standing(objective: Objective | None) -> tuple[str, str]:
    """The mark and the word of an objective."""
    if objective is None:
        return "off", "not set"
    if not objective.is_on:
        return "off", "off"
    state = objective.reading.get("state")
    return (ANSWER_MARKS[Answer(state)], Answer(state).label.lower()) if state else ("wait", "not evaluated yet")


def burn_lines(objective: Objective) -> list[BurnLine]:
    """The table as the last evaluation measured it; the limits alone before the first."""
    kept = objective.reading.get("rows") or [{}] * len(ROWS)
    window, found = timedelta(days=objective.window_days), []
    for row, read in zip(ROWS, kept, strict=True):
        long, short = read.get("long"), read.get("short")
        if read.get("fires"):
            mark, word = ("bad" if row.severity == Severity.PAGE else "warn"), "fires"
        elif read.get("few"):
            mark, word = "half", "too few"
        elif long is None:
            mark, word = "off", "not measured"
        else:
            mark, word = "ok", "holds"
        found.append(BurnLine(row.severity.label, row.name, row.burn(window), long, short, mark, word))
    return found


def budget_chart(objective: Objective, points: list[traffic.Point]) -> Chart | None:
    """How the window's budget was spent; none before any traffic."""
    begin = points[-1].start + STEP - timedelta(days=objective.window_days) if points else None
    mine = [point for point in points if begin and point.start >= begin]
    counts = [count_of(objective, point.counts) for point in mine]
    if not any(each.total for each in counts):
        return None
    return charts.budget(objective.kind, [point.start for point in mine], counts, objective.target, objective.window_days)


def proposal(found: Endpoint, kind: Kind, total: traffic.Total) -> Proposal:
    """What the last seven days, or the evaluation of the live version, speak for."""
    if kind == Kind.AVAILABILITY:
        return rules.propose_availability(Count(total.errors, total.taken))
    if kind == Kind.LATENCY:
        return rules.propose_latency(total.p95_ms, sum(total.latency.values()))
    return rules.propose_quality(Count(total.wrong, total.judged), evaluated(found))


def evaluated(found: Endpoint) -> float | None:
    """The accuracy of the live version on its frozen test; None without one."""
    version = ModelVersion.objects.select_related("evaluation").filter(aliases__endpoint=found).first()
    value = version.evaluation.report.get("accuracy") if version and version.evaluation else None
    return float(value) if isinstance(value, int | float) else None


def panel(user: User, found: Endpoint) -> dict[str, Any]:
    """The part of the endpoint's page."""
    rows = [row for row in queries.objectives(found) if row.is_on]
    return {
        "endpoint": found, "open": queries.open_of(found), "budgets": [line_of(row) for row in rows],
        "states": {row.kind: standing(row) for row in rows}, "may": policy.can(user, "alerts.manage", found),
    }  # fmt: skip


def suppressed(user: User, given: dict[str, str], before: int | None) -> dict[str, Any]:
    """What looked wrong and was not said."""
    form = SuppressedForm(given, user=user)
    chosen = form.cleaned_data if form.is_valid() else {"why": "", "endpoint": ""}
    rows, older = queries.suppressed(user, endpoint=chosen["endpoint"], why=chosen["why"], before=before)
    return {
        "tabs": tabs("alerts:suppressed"), "lines": [check_line(row) for row in rows], "form": form, "filtered": any(chosen.values()),
        "pager": pager(given, before, older, "before"),
    }  # fmt: skip


def silences(user: User, form: SilenceForm | None = None, where: str = "") -> dict[str, Any]:
    """What holds, what did, and the form. where: what the form is about at first."""
    hold, over = queries.silences(user, timezone.now())
    may = policy.can_somewhere(user, "alerts.silence")
    first = {"where": where, "hours": 4}
    return {
        "tabs": tabs("alerts:silences"), "hold": hold, "over": over, "form": form or SilenceForm(user=user, initial=first),
        "why_not": "" if may else sentence("alerts.silence"),
        "mine": set(policy.visible_to(user, Silence, "alerts.silence").values_list("pk", flat=True)),
    }  # fmt: skip


def channels(user: User, form: ChannelForm | None = None, made: Channel | None = None) -> dict[str, Any]:
    """The ways out, how their last messages went, and the form. made: a webhook whose secret is shown this once."""
    found = queries.channels(user)
    kept = queries.deliveries(found)
    mine = set(policy.visible_to(user, Channel, "alerts.manage").values_list("pk", flat=True))
    return {
        "tabs": tabs("alerts:channels"), "form": form or ChannelForm(user=user, initial={"wants": ["page", "ticket", "digest"]}),
        "lines": [
            {
                "channel": row, "host": sending.host_of(row), "wants": wanted(row), "sent": [sent(each) for each in kept[row.pk]],
                "mine": row.pk in mine,
            }
            for row in found
        ],
        "made": made, "secret": sending.secret_of(made) if made else "",
        "why_not": "" if policy.can_somewhere(user, "alerts.manage") else sentence("alerts.manage"),
    }  # fmt: skip


def wanted(channel: Channel) -> str:
    """Page, Ticket."""
    return ", ".join(each.label for each in Severity if each.value in channel.wants) or "nothing"
