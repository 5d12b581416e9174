"""An endpoint is called healthy only where everything that could be wrong was measured and is not."""

from datetime import date

import pytest

from lifecycle.runtime.statistics.verdicts import Verdict
from lifecycle.ui.marks import KIND_OF
from monitoring.alerts.rules.state import Answer
from monitoring.drift import rules as drift
from monitoring.overview.rules import Standing, health, month_starts, week_starts

WELL = {"live": True, "drift": "ok", "budgets": (0.8, 0.9), "requests": 1200}


@pytest.mark.parametrize(
    ("changed", "kind", "word"),
    [
        ({}, "ok", "healthy"),
        ({"live": False}, "off", "not live"),
        ({"live": False, "quarantined": True}, "bad", "in quarantine"),
        ({"budgets": (0.9, 0.0)}, "bad", "over budget"),
        ({"pages": 1}, "bad", "alert open"),
        ({"drift": "drift"}, "bad", "drifting"),
        ({"holding": True}, "warn", "canary on hold"),
        ({"budgets": (0.24,)}, "warn", "budget low"),
        ({"budgets": (0.25,)}, "ok", "healthy"),
        ({"drift": "failed"}, "warn", "drift not measured"),
        ({"requests": 0}, "half", "no traffic"),
        ({"drift": "insufficient"}, "half", "not enough data"),
        ({"drift": "watch"}, "warn", "watch"),
        ({"drift": None}, "half", "partly measured"),
        ({"budgets": ()}, "half", "partly measured"),
    ],
)
def test_the_worst_that_is_true_is_what_is_shown(changed, kind, word):
    found = health(Standing(**(WELL | changed)))

    assert (found.kind, found.word) == (kind, word)


def test_of_two_troubles_the_graver_is_named():
    assert (
        health(Standing(**(WELL | {"budgets": (-0.2,), "drift": "drift", "holding": True}))).word
        == "over budget"
    )


def test_what_is_missing_is_named():
    assert health(Standing(live=True, requests=5)).why == "Health is unknown without drift and objectives."


def test_weeks_begin_on_mondays_and_the_running_one_is_the_last():
    assert week_starts(date(2026, 11, 25), 3) == [date(2026, 11, 9), date(2026, 11, 16), date(2026, 11, 23)]


def test_months_are_those_that_the_period_touches():
    assert month_starts(date(2027, 1, 10), 8) == [date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1)]


def test_too_little_data_has_one_word():
    words = {
        each.label.lower()
        for each in (drift.State.INSUFFICIENT, drift.Mark.INSUFFICIENT, Answer.INSUFFICIENT)
    }

    assert words | {health(Standing(**WELL | {"drift": "insufficient"})).word} == {Verdict.FEW.words}
    assert KIND_OF[Verdict.FEW.words] == "half"
