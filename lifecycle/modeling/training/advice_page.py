"""Advice on the launch page: the questions, the proposal next to the current settings, and *Apply to the
form*.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.urls import reverse

from lifecycle.modeling.training import advising
from lifecycle.modeling.training.advice import Advice, Answers, Lengths, Setting
from lifecycle.modeling.training.forms import LABELS
from lifecycle.modeling.training.rules import Strategy
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import count, percent

PREFIX, ASKED, APPLIED = "ask", "advice", "apply"
ASIDE = {"baseline": "warn", "label_more": "warn", "head": "info", "adapters": "info", "fine_tune": "ok"}
KIND = {"bad": "bad", "watch": "warn", "info": "info"}
NAMES = {"base": "Base model", "strategy": "Strategy", "patience": "Patience"} | LABELS


class AnswersForm(forms.Form):
    """Requirements that the data doesn't show."""

    sensitive = forms.BooleanField(
        label="The texts are sensitive", required=False, help_text="Names, health, money, secrets."
    )
    baseline_does = forms.BooleanField(
        label="A simpler method is good enough",
        required=False,
        help_text="For example rules, the majority label, or a prompted model.",
    )
    latency_ms = forms.FloatField(
        label="Maximum latency per text (ms)",
        required=False,
        min_value=0.001,
        help_text="On one core, for a long text.",
    )
    size_mb = forms.FloatField(
        label="Maximum model size (MB)",
        required=False,
        min_value=0.001,
        help_text="Size of the served fp32 file.",
    )
    minutes = forms.FloatField(
        label="Maximum training time (min)", required=False, min_value=0.001, help_text="On this machine."
    )

    def answers(self) -> Answers:
        """The input of the rules."""
        return Answers(**self.cleaned_data)


def shown(context: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """The questions; the advice, once requested; and the suggestion with it, once applied.

    context: from `launch_page.launch`, with a suggestion. given: the URL's parameters or the form's data.
    """
    requested = given.get(ASKED) == "1"
    form = AnswersForm(given if requested else None, prefix=PREFIX, use_required_attribute=False)
    if not requested or not context["advises"] or not form.is_valid():
        return {"ask": form, "kept": [], "advised": None}
    advised = advising.advise(context["snapshot"], context["base"], context["bases"], form.answers())
    kept = [
        (ASKED, "1"),
        *((name, value) for name, value in given.items() if name.startswith(f"{PREFIX}-") and value),
    ]
    is_proposed = (context["base"], context["strategy"]) == (advised.base, advised.strategy)
    applied = given.get(APPLIED) == "1" and is_proposed
    found: dict[str, Any] = {
        "ask": form,
        "advised": advised,
        "applied": applied,
        "kept": kept,
        "apply_kept": [*kept, (APPLIED, "1")] if applied else kept,
        "verdict": {"row": advised.advice.verdict, "kind": ASIDE[advised.advice.verdict.code]},
        "proposal": lines(advised.advice, context),
        "concerns": [{"row": each, "kind": KIND[each.severity]} for each in advised.advice.warnings],
        "facts": figures(advised),
        "apply_url": apply_url(context, advised, kept),
    }
    return found | ({"suggestion": advised.suggestion} if applied else {})


def apply_url(context: Mapping[str, Any], advised: advising.Advised, kept: list[tuple[str, str]]) -> str:
    """The same page with the proposal in its fields. It starts nothing."""
    chosen = {
        "dataset_version": context["snapshot"].uuid,
        "base": advised.base.uuid,
        "strategy": advised.strategy,
        APPLIED: "1",
    }
    return f"{reverse('training:launch')}?{urlencode([*chosen.items(), *kept])}#settings"


def lines(found: Advice, context: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each proposed setting: name, value, whether it is set already, reason, and source of the rule."""
    now = context["suggestion"].values() | {"base": context["base"].name, "strategy": context["strategy"]}
    names = {
        each.name: NAMES.get(each.name, each.name.replace("_", " ").capitalize()) for each in found.settings
    }
    return [
        {
            "name": names[each.name],
            "value": in_words(each),
            "is_new": now.get(each.name) != each.value,
            "row": each,
        }
        for each in found.settings
    ]


def in_words(setting: Setting) -> str:
    """A value for display."""
    if isinstance(setting.value, bool):
        return "on" if setting.value else "off"
    if setting.name == "strategy":
        return str(Strategy(setting.value).label)
    return f"{setting.value:g}" if isinstance(setting.value, float) else str(setting.value)


def figures(advised: advising.Advised) -> list[Figure]:
    """The facts used by the advice."""
    data, lengths = advised.data, advised.lengths
    rows = data.rows_of("train")
    smallest = min(rows, key=lambda label: (rows[label], label), default="")
    return [
        Figure("Training rows", count(data.train), sub=f"{count(len(rows))} labels"),
        Figure("Smallest label", count(rows[smallest]) if rows else None, sub=smallest),
        Figure(
            "Test rows",
            count(data.splits.get("test", 0)),
            sub=f"validation {count(data.splits.get('validation', 0))}",
        ),
        Figure("Median tokens per text", count(lengths.percentile(50)), sub=source(lengths)),
        Figure(
            "Tokens, 99 of 100",
            count(lengths.percentile(99)),
            sub=f"95 of 100: {count(lengths.percentile(95))}",
        ),
        Figure(
            "Possible label errors",
            None if data.doubted is None else percent(data.doubted / max(1, sum(data.splits.values()))),
            sub="not scanned" if data.doubted is None else f"{count(data.doubted)} of the dataset",
        ),
    ]


def source(lengths: Lengths) -> str:
    """How the lengths were measured."""
    return f"{count(len(lengths.tokens))} texts, {'counted' if lengths.counted else 'estimated'}"
