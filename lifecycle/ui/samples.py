"""Samples of the style guide: every component with invented content."""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from django import forms
from django.utils import timezone

from lifecycle.ui.charts import Chart
from lifecycle.ui.marks import Figure, Step

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class RunForm(forms.Form):
    """A form with one field of each shape."""

    rank = forms.IntegerField(
        label="LoRA rank", help_text="1 to 64. 16 suits most intent models.", min_value=1, max_value=64
    )
    snapshot = forms.ChoiceField(choices=[("", "Choose a dataset version"), ("14", "v14, 10,003 rows")])
    rate = forms.CharField(
        label="Learning rate", help_text="Last three good runs used 1e-4 to 3e-4.", required=False
    )
    note = forms.CharField(widget=forms.Textarea(attrs={"rows": 2}), required=False)
    early = forms.BooleanField(label="Stop early after 10 evaluations without a new best", required=False)
    strategy = forms.ChoiceField(
        widget=forms.RadioSelect,
        choices=[("lora", "LoRA"), ("full", "Full fine-tuning"), ("head", "Head only")],
        required=False,
    )
    file = forms.FileField(label="Training file", help_text="CSV, JSON lines or Parquet.", required=False)


def digests() -> list[str]:
    """Four digests, the first two equal."""
    return [hashlib.sha256(name.encode()).hexdigest() for name in ("snapshot", "snapshot", "base", "version")]


def steps() -> list[Step]:
    """A thread from data to canary."""
    first = digests()[0]
    return [
        Step("Dataset", "example-intents", "#thread"),
        Step("Dataset version", "version 7", "#thread", digest=first),
        Step("Run", "184", at="now"),
        Step("Version", "not registered", at="next"),
        Step("Canary", "none", at="next"),
    ]


def figures() -> list[Figure]:
    """A strip with a rise, a fall, a plain reference and a gap."""
    return [
        Figure("Macro-F1, best", "0.921", sub="on 3.2.0", change="+0.009", good=True),
        Figure("p95 latency", "19.1", "ms", sub="limit 25", change="+0.7", good=False),
        Figure("Trainable", "1.18", "%", sub="271,181 of 22.98 M"),
        Figure("Cost so far", None, sub="no price set"),
    ]


def loss() -> Chart:
    """Two curves with a finding."""
    steps = list(range(20, 761, 20))
    train = [round(4.2 * math.exp(-step / 130) + 0.1, 4) for step in steps]
    validation = [
        round(3.9 * math.exp(-step / 140) + 0.26 + max(0, step - 620) * 0.0003, 4) for step in steps
    ]
    lowest = min(range(len(steps)), key=validation.__getitem__)
    curve: dict[str, Any] = {"type": "scatter", "mode": "lines", "x": steps}
    across = {"range": [0, 800], "title": {"text": "step"}}
    up = {"type": "log", "tickvals": [0.1, 0.2, 0.5, 1, 2, 4], "title": {"text": "cross-entropy, log scale"}}
    risen = {
        "type": "rect",
        "x0": steps[lowest],
        "x1": 760,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "fillcolor": "$warn/9",
        "line": {"width": 0},
    }
    at_end = {"name": "end", "x": 1, "xref": "paper", "xanchor": "left", "xshift": 6}
    ends = [
        at_end | {"y": math.log10(ys[-1]), "text": f"{name} {ys[-1]:.3f}", "font": {"color": color}}
        for name, ys, color in (("train", train, "$c2"), ("validation", validation, "$c1"))
    ]
    return Chart(
        id="sample-loss",
        lead=f"Validation loss is lowest at step {steps[lowest]}",
        caption="while training loss is still falling.",
        size="tall",
        figure={
            "data": [
                {**curve, "y": train, "name": "train", "line": {"color": "$c2", "width": 1.5}},
                {**curve, "y": validation, "name": "validation", "line": {"color": "$c1", "width": 2}},
            ],
            "layout": {"xaxis": across, "yaxis": up, "shapes": [risen], "annotations": ends},
        },
        head=["step", "train", "validation"],
        rows=[[step, train[at], validation[at]] for at, step in enumerate(steps) if at % 6 == 0],
    )


def confusion() -> Chart:
    """Errors only, on the sequential scale."""
    names = ["card_arrival", "card_delivery_estimate", "pending_transfer", "transfer_timing"]
    counts = [[11, 2, 0, 0], [4, 7, 0, 0], [0, 0, 7, 4], [0, 0, 1, 10]]
    errors = [
        [0 if row == column else count for column, count in enumerate(line)]
        for row, line in enumerate(counts)
    ]
    texts = [
        {
            "x": names[column],
            "y": names[row],
            "text": str(count),
            "font": {"size": 11, "color": "$on-fill" if count > 3 and row != column else "$ink-2"},
        }
        for row, line in enumerate(counts)
        for column, count in enumerate(line)
        if count
    ]
    heat = {
        "type": "heatmap",
        "z": errors,
        "x": names,
        "y": names,
        "colorscale": "seq",
        "zmin": 0,
        "zmax": 6,
        "showscale": False,
    }
    across = {"side": "top", "tickangle": -35, "showline": False, "ticks": "", "tickfont": {"size": 10}}
    down = {"autorange": "reversed", "showgrid": False, "tickfont": {"size": 10}}
    layout = {
        "xaxis": across,
        "yaxis": down,
        "annotations": texts,
        "hovermode": "closest",
        "margin": {"l": 4, "r": 44, "t": 4, "b": 4},
    }
    return Chart(
        id="sample-confusion",
        lead="Only errors are coloured;",
        caption="the diagonal isn't shaded.",
        size="tall",
        figure={"data": [heat], "layout": layout},
        head=["true", *names],
        rows=[[name, *line] for name, line in zip(names, counts, strict=True)],
    )


def entries() -> list[dict[str, Any]]:
    """A history, newest first."""
    return [
        {"kind": "now", "title": "Canary at 5 %", "by": "on-call", "at": NOON},
        {
            "kind": "ok",
            "title": "Request 41 approved",
            "by": "a governance reviewer",
            "at": NOON - timedelta(minutes=40),
        },
        {
            "kind": "warn",
            "title": "Gate to watch:",
            "text": "texts of up to 4 words",
            "at": NOON - timedelta(hours=2),
        },
        {"kind": "bad", "title": "Rolled back", "text": "p95 above 60 ms", "at": NOON - timedelta(days=420)},
        {"kind": "todo", "title": "25 %", "text": "in about 3 hours"},
    ]


def lines() -> list[dict[str, Any]]:
    """A change of a configuration."""
    return [
        {"number": 11, "sign": " ", "text": "adapter:"},
        {"number": 12, "sign": "-", "text": "  rank: 8"},
        {"number": 12, "sign": "+", "text": "  rank: 16"},
        {"number": 13, "sign": " ", "text": "  alpha: 32"},
    ]


def everything() -> SimpleNamespace:
    """All samples by name."""
    return SimpleNamespace(
        digests=digests(),
        steps=steps(),
        figures=figures(),
        loss=loss(),
        confusion=confusion(),
        entries=entries(),
        lines=lines(),
        series=[0.86, 0.87, 0.865, 0.88, None, 0.89, 0.9, 0.896, 0.905, 0.912, 0.91, 0.927],
        form=RunForm({"rank": "128", "snapshot": "", "early": "on", "strategy": "lora", "rate": "2e-4"}),
        tabs=[
            {"label": "Overview", "url": "#", "current": True},
            {"label": "Rows", "url": "#", "count": 10003},
            {"label": "Audit", "url": "#", "count": 14},
        ],
        page={"about": 312, "as_of": NOON, "previous": "", "next": "#"},
        tricky="Send \u202egpj.exe\u202c to\u200b me\x07",
        soon=timezone.now() - timedelta(minutes=3),
        code=(
            'POST /v2/models/example/intents/infer\n{"inputs": [{"name": "text", "datatype": "BYTES",'
            ' "shape": [1], "data": ["Hello"]}]}'
        ),
        kinds=[
            "wait queued",
            "live running",
            "half open",
            "ok passed",
            "warn watch",
            "bad failed",
            "stop stopped",
            "off archived",
            "prod production",
        ],
        colours=[
            "c1 candidate",
            "c2 incumbent",
            "c3 shadow",
            "c4 spruce",
            "c5 plum",
            "c6 sky",
            "c7 ochre",
            "c8 aubergine",
        ],
        shades=range(7),
    )
