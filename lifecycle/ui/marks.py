"""Small drawings made on the server: digests, intervals, sparklines, bars. SVG with classes, no inline
style.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from lifecycle.ui.numbers import NOT_MEASURED, Number, signed

HEX = re.compile(r"[0-9a-f]{8,128}")
HOT, HIDDEN = SafeString(' class="hot"'), SafeString('aria-hidden="true"')
STATES = ("wait", "live", "half", "ok", "warn", "bad", "stop", "off", "prod")
KIND_OF = {
    **dict.fromkeys(("queued", "waiting", "draft", "pending", "scheduled", "not started"), "wait"),
    **dict.fromkeys(("running", "training", "live", "started", "labeling", "canary", "importing"), "live"),
    **dict.fromkeys(
        ("open", "in review", "requested", "partly", "shadow", "no clear difference", "not enough data"),
        "half",
    ),
    **dict.fromkeys(
        (
            "passed",
            "succeeded",
            "finished",
            "done",
            "approved",
            "accepted",
            "healthy",
            "frozen",
            "better",
            "ready",
            "valid",
            "holds",
        ),
        "ok",
    ),
    **dict.fromkeys(("watch", "warning", "close", "late", "superseded", "waived", "ended early"), "warn"),
    **dict.fromkeys(
        (
            "failed",
            "rejected",
            "refused",
            "rolled back",
            "drifting",
            "worse",
            "quarantined",
            "invalid",
            "void",
            "fails",
        ),
        "bad",
    ),
    **dict.fromkeys(("stopped", "cancelled", "pruned", "withdrawn", "paused", "held"), "stop"),
    **dict.fromkeys(("archived", "off", "expired", "revoked", "none", "not measured"), "off"),
    **dict.fromkeys(("production", "stable", "in production"), "prod"),
}


@dataclass(frozen=True)
class Step:
    """One bead of a thread. at: "" (behind), "now" (this object) or "next" (not there yet). digest: drawn
    instead of the text.
    """

    label: str
    text: str
    url: str = ""
    at: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Figure:
    """One number of a strip. value: ready text, None when not measured. sub: its reference. change: +0.009
    and whether that is good.
    """

    label: str
    value: str | None
    unit: str = ""
    sub: str = ""
    change: str = ""
    good: bool | None = None


def kind_of(word: str) -> str:
    """The mark of a word; half for an unknown one, which promises nothing."""
    return KIND_OF.get(word.lower().replace("_", " "), "half")


def state(kind: str, word: str, *, boxed: bool = False) -> SafeString:
    """A mark, a word, a colour. kind: one of STATES."""
    if kind not in STATES:
        raise ValueError(f"{kind!r} isn't a state; choose from {', '.join(STATES)}.")
    return format_html('<span class="st {}{}">{}</span>', kind, " boxed" if boxed else "", word)


def short(number: float) -> str:
    """A coordinate without needless digits: 3, 7.5."""
    return f"{number:g}"


def fingerprint(hexadecimal: str) -> SafeString:
    """Eight bars, one for each of the first eight hex digits: equal digests look equal."""
    heights = [2 + 0.8 * int(digit, 16) for digit in hexadecimal[:8]]
    bars = format_html_join(
        "",
        '<rect x="{}" y="{}" width="2" height="{}"/>',
        ((3 * at, short(7 - height / 2), short(height)) for at, height in enumerate(heights)),
    )
    return format_html('<svg class="fp" viewBox="0 0 23 14" aria-hidden="true">{}</svg>', bars)


def digest(value: str | None, *, icon: SafeString | None = None) -> SafeString:
    """A sha256 as bars, eight digits and the whole in its title. icon: adds the copy button. "none" for an
    empty value.
    """
    full = (value or "").lower().removeprefix("sha256:")
    if not full:
        return SafeString('<span class="muted">none</span>')
    if not HEX.fullmatch(full):
        return format_html("<code>{}</code>", value)
    short = full[:8]
    button = (
        format_html(
            '<button type="button" data-copy="{}" aria-label="Copy digest {}">{}</button>', full, short, icon
        )
        if icon
        else ""
    )
    return format_html(
        '<span class="digest" title="sha256:{}">{}<code>{}</code>{}</span>',
        full,
        fingerprint(full),
        short,
        button,
    )


def interval(
    value: Number | None,
    low: Number | None,
    high: Number | None,
    *,
    limit: Number | None = None,
    better: str = "up",
    digits: int = 3,
    scale: Number | None = None,
    watch: bool = False,
    label: str = "",
) -> SafeString:
    """A difference with its 95 % interval; right of zero is better, blue when zero is outside, grey when it
    is inside.

    better: "up" or "down", which direction of the value is good. limit: drawn red and dotted. scale: the
    value at the right edge, by default just beyond the farthest end. label: for screen readers; by default
    the value with its interval.
    """
    if value is None or low is None or high is None:
        return format_html('<span class="muted">{}</span>', NOT_MEASURED)
    sign = -1.0 if better == "down" else 1.0
    ends = [abs(float(end)) for end in (value, low, high, limit or 0)]
    edge = float(scale) if scale else (max(ends) * 1.2 or 1.0)

    def x(number: Number) -> float:
        return round(min(147.0, max(3.0, 75 + 72 * sign * float(number) / edge)), 1)

    kind = " watch" if watch else "" if low > 0 or high < 0 else " flat"
    label = (
        label
        or f"{signed(value, digits)}, 95\u00a0% interval {signed(low, digits)} to {signed(high, digits)}"
    )
    dotted = (
        format_html('<line class="lim" x1="{0}" x2="{0}" y1="-4" y2="20"/>', short(x(limit)))
        if limit is not None
        else ""
    )
    left, right = sorted((x(low), x(high)))
    return format_html(
        '<svg class="ci{}" width="150" height="16" viewBox="0 0 150 16" role="img" aria-label="{}">'
        '<line class="zero" x1="75" x2="75" y1="-4" y2="20"/>{}'
        '<line class="rng" x1="{}" x2="{}" y1="8" y2="8"/><circle class="pt" cx="{}" cy="8" r="3"/></svg>',
        kind,
        label,
        dotted,
        short(left),
        short(right),
        short(x(value)),
    )


def spark(values: Sequence[Number | None], *, hot: bool = False) -> SafeString:
    """The shape of a series, on its own scale, 96 by 20 pixels; the last point is a dot, red when hot. Gaps
    stay open.
    """
    known = [float(value) for value in values if value is not None]
    if len(known) < 2:
        return format_html('<span class="muted">{}</span>', "Too few points" if known else NOT_MEASURED)
    low, span = min(known), (max(known) - min(known)) or 1.0
    step = 92 / max(1, len(values) - 1)
    path, pen, last = [], "M", (2.0, 10.0)
    for at, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        last = (round(2 + at * step, 1), round(18 - 16 * (float(value) - low) / span, 1))
        path.append(f"{pen}{short(last[0])} {short(last[1])}")
        pen = "L"
    return format_html(
        '<svg class="spark" width="96" height="20" viewBox="0 0 96 20" aria-hidden="true"><path d="{}"/>'
        '<circle{} cx="{}" cy="{}" r="2.25"/></svg>',
        "".join(path),
        HOT if hot else "",
        short(last[0]),
        short(last[1]),
    )


def bar(share: Number | None, *, kind: str = "judged", label: str = "") -> SafeString:
    """A share from 0 to 1 of a whole. kind: judged (blue), reference (graphite), third, ok, warn, bad, ghost
    (outline only).

    label: its text for screen readers; without one the bar is hidden from them, because the number is beside
    it.
    """
    width = round(100 * min(1.0, max(0.0, float(share or 0))), 1)
    role = format_html('role="img" aria-label="{}"', label) if label else HIDDEN
    return format_html(
        '<svg class="bar {}" viewBox="0 0 100 6" preserveAspectRatio="none" {}><rect class="all" width="100"'
        ' height="6"/><rect class="part" width="{}" height="6"/></svg>',
        kind,
        role,
        short(width),
    )
