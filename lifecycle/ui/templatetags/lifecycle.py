"""{% load lifecycle %}: marks, numbers and components for every template."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import lucide
from django import forms, template
from django.contrib.messages.storage.base import Message
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from lifecycle.runtime.statistics.verdicts import Verdict
from lifecycle.ui import marks, numbers, toasts
from lifecycle.ui import parts as places
from lifecycle.ui import text as texts
from lifecycle.ui.addresses import find_url
from lifecycle.ui.charts import Chart
from lifecycle.ui.forms import problems
from lifecycle.ui.numbers import Number

register = template.Library()
NO_NAMES = SafeString('<span class="muted">none</span>')
# that aren't their own names
ANCHORS = {"ece": "ECE", "psi": "PSI", "mcnemar": "McNemar", "gate-live": "not worse than live"}
YOU = SafeString(' <span class="muted">you</span>')


# ── Marks ───────────────────────────────────────────────────────────────────
@register.simple_tag
def icon(name: str) -> SafeString:
    """A lucide icon of 16 px in the colour of its text, hidden from screen readers."""
    svg: str = lucide._render_icon(str(name), 16, **{"class": "i", "aria_hidden": "true"})
    return mark_safe(svg)  # noqa: S308  from the package's own files


@register.simple_tag
def digest(value: str | None, copy: bool = True) -> SafeString:
    """{% digest version.root_digest %}, or copy=False where a button would be too much."""
    return marks.digest(value, icon=icon("copy") if copy else None)


@register.simple_tag
def ci(value: Number | None, low: Number | None, high: Number | None, **options: Any) -> SafeString:
    """{% ci 0.013 0.006 0.02 limit=-0.01 better="up" digits=3 %}: a difference with its interval."""
    return marks.interval(value, low, high, **options)


@register.simple_tag
def spark(values: Sequence[Number | None], hot: bool = False) -> SafeString:
    """{% spark values %}: the shape of a series."""
    return marks.spark(values, hot=hot)


@register.simple_tag
def how_known(*anchors: str) -> SafeString:
    """{% how_known "widening" %}: a link to a number's line in docs/statistics.md, with its assumptions and
    checks.

    Of several, {% how_known "scores" "losses" %}, each is named.
    """
    if not (page := find_url("home:statistics")):
        return SafeString("")
    named = [
        (page, anchor, ANCHORS.get(anchor) or anchor.removeprefix("gate-").replace("-", " "))
        for anchor in anchors
    ]
    if len(named) == 1:
        return format_html('<a class="how" href="{}#{}">Method<span class="vh">: {}</span></a>', *named[0])
    links = format_html_join(", ", '<a href="{}#{}">{}</a>', named)
    return format_html('<span class="how">Method: {}</span>', links)


@register.simple_tag
def bar(share: Number | None, kind: str = "judged", label: str = "") -> SafeString:
    """{% bar 0.38 %}: a share of a whole."""
    return marks.bar(share, kind=kind, label=label)


@register.simple_tag
def state(kind: str, word: str = "", boxed: bool = False) -> SafeString:
    """{% state "ok" "10 gates passed" %}, or {% state run.get_status_display %} to choose the mark by the
    word.
    """
    word = str(word) or str(kind)
    known = str(kind) if str(kind) in marks.STATES else marks.kind_of(str(kind))
    return marks.state(known, word, boxed=boxed)


@register.simple_tag
def verdict(code: str) -> SafeString:
    """{% verdict row.verdict %}: the words of a verdict of `lifecycle.runtime.statistics.verdicts`."""
    words = Verdict(code).words
    return marks.state(marks.kind_of(words), words)


@register.simple_tag
def avatar(name: Any) -> SafeString:
    """The initials of a person in a circle."""
    return format_html('<span class="avatar" aria-hidden="true">{}</span>', texts.initials(str(name)))


@register.simple_tag
def person(who: Any, you: Any = None) -> SafeString:
    """{% person run.started_by request.user %}: initials and name; "you" behind it when both are the same."""
    if who is None:
        return format_html('<span class="person">{}<span>System</span></span>', avatar("Lifecycle"))
    tail = YOU if you is not None and who == you else ""
    return format_html('<span class="person">{}<span>{}{}</span></span>', avatar(who), str(who), tail)


@register.filter
def named(who: Any) -> str:
    """{{ verdict.reviewer|named }}: the name with the user name beside it, since only the latter is one
    person's for good.
    """
    return str(who) if str(who) == who.username else f"{who} ({who.username})"


@register.simple_tag
def when(at: datetime | None, relative: bool = False, none: str = "not yet") -> SafeString:
    """{% when run.ended_at %}: 24 Nov 16:10 with the full time in its title; relative=True for "3 min
    ago".
    """
    if at is None:
        return format_html('<span class="muted">{}</span>', none)
    now = timezone.now()
    words = numbers.ago(at, now) if relative else numbers.moment(at, now)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', at.isoformat(), numbers.full_moment(at), words
    )


# ── Numbers: "Not measured" for None ────────────────────────────────────────
@register.filter
def count(value: int | None) -> str:
    """10,003."""
    return numbers.count(value)


@register.simple_tag
def in_groups(rows: int, groups: int | None) -> str:
    """{% in_groups report.rows report.clusters %}: " in 12 groups of near duplicates", or "".

    Intervals and tests take each group as one.
    """
    return (
        f" in {numbers.count(groups)} group{'' if groups == 1 else 's'} of near duplicates"
        if groups and groups < rows
        else ""
    )


@register.filter
def decimals(value: Number | None, digits: int = 3) -> str:
    """{{ accuracy|decimals:3 }}: 0.927."""
    return numbers.decimals(value, int(digits))


@register.filter
def money(value: Number) -> str:
    """{{ cost|money }}: 3.40, or "under 0.01"."""
    return numbers.money(value)


@register.filter
def significant(value: Number | None, digits: int = 2) -> str:
    """{{ cost|significant }}: 0.0044."""
    return numbers.significant(value, int(digits))


@register.filter
def signed(value: Number | None, digits: int = 3) -> str:
    """{{ change|signed:3 }}: +0.013."""
    return numbers.signed(value, int(digits))


@register.filter
def percent(share: Number | None, digits: int = 0) -> str:
    """{{ share|percent:1 }}: 89.9 %, of a share from 0 to 1."""
    return numbers.percent(share, int(digits))


@register.filter
def ms(value: Number | None, digits: int = 1) -> str:
    """{{ latency_ms|ms }}: 19.1 ms."""
    return numbers.unit(value, "ms", int(digits))


@register.filter
def size(count_bytes: int | None) -> str:
    """{{ upload.size|size }}: 839 kB."""
    return numbers.size(count_bytes)


@register.filter
def duration(seconds: Number | timedelta | None) -> str:
    """{{ run.seconds|duration }}: 4 min 5 s."""
    return numbers.duration(seconds)


# ── Text ────────────────────────────────────────────────────────────────────
@register.filter
def inert(value: object) -> SafeString:
    """{{ item.text|inert }}: control and bidi characters are shown instead of obeyed."""
    return texts.inert(value)


@register.filter
def truncatechars(value: object, most: int) -> str:
    """{{ item.text|truncatechars:120|inert }}: takes the place of Django's, which cuts emoji and letters with
    marks in two.
    """
    return texts.shortened(str(value), int(most))


@register.filter
def spelt(value: object) -> SafeString:
    """<option>{{ dataset.name|spelt }}</option>: as inert, where markup isn't allowed."""
    return texts.spelt(value)


@register.filter
def label(name: object) -> SafeString:
    """{{ label.name|label }}: may break after underscores."""
    return texts.breakable(name)


@register.filter
def labels(names: Sequence[str]) -> SafeString:
    """{{ answer.predicted|labels }}: names in a row, each as `label` writes it; "none" where there are
    none.
    """
    return format_html_join(", ", "{}", ((texts.breakable(name),) for name in names)) or NO_NAMES


# ── Components ──────────────────────────────────────────────────────────────
@register.inclusion_tag("components/thread.html")
def thread(steps: Sequence[marks.Step]) -> dict[str, Any]:
    """{% thread steps %}: where this object sits between its causes and effects."""
    return {"steps": steps}


@register.inclusion_tag("components/figs.html")
def figs(figures: Sequence[marks.Figure]) -> dict[str, Any]:
    """{% figs figures %}: three to six numbers, each with its reference."""
    return {"figures": figures}


@register.inclusion_tag("components/chart.html")
def chart(drawing: Chart) -> dict[str, Any]:
    """{% chart loss %}: the figure, its finding and its data."""
    return {"chart": drawing}


@register.inclusion_tag("components/toast.html")
def toast(message: Message) -> dict[str, Any]:
    """{% toast message %}: one message of django.contrib.messages."""
    verb, _, url = (message.extra_tags or "").partition(" ")
    return {"kind": toasts.kind_of(message.level), "text": message.message, "verb": verb, "url": url}


@register.inclusion_tag("components/error_summary.html")
def error_summary(form: forms.BaseForm, fact: str = "Nothing was saved.") -> dict[str, Any]:
    """{% error_summary form "The run was not started." %}: nothing while the form is in order."""
    return {"problems": problems(form) if form.is_bound else [], "fact": fact}


@register.simple_tag
def find(name: str, **kwargs: Any) -> str:
    """{% find "trace:chain" uuid=x as url %}: an address in an upper room, empty when that room is not
    there.
    """
    return find_url(name, **kwargs)


@register.simple_tag(takes_context=True)
def parts(context: template.RequestContext, place: str, subject: Any) -> SafeString:
    """{% parts "queues:queue" queue %}: the parts of upper rooms at this place of the page."""
    return places.render(place, context["request"], subject)
