"""Advice on a snapshot, and ten steps of a run, from a shell."""

from __future__ import annotations

import pytest

from lifecycle.modeling.training.models import Estimate, Run
from tests.support.estimates import measured
from tests.support.training import make_base, make_snapshot


@pytest.fixture
def snapshot(project, mia):
    """The first of the dataset, beside a base."""
    made = make_snapshot(project, mia, name="Inbox")
    make_base(project, mia)
    return made


def test_advice_prints_the_verdict_warnings_and_settings_with_reasons(as_person, snapshot, mia):
    result = as_person(mia)("runs", "advise", "inbox@1", "--sensitive", "--minutes", "30")

    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0].startswith("Train adapters only, and keep labeling. ")
    assert any(line.startswith("watch: The texts are sensitive.") for line in lines)
    assert any(line.split()[:2] == ["patience", "2"] for line in lines)
    assert not Run.objects.exists()


def test_advice_without_the_role_names_the_role(as_person, snapshot, ana):
    result = as_person(ana)("runs", "advise", "inbox@1")

    assert result.code == 1
    assert "ML engineer" in result.err


def test_an_estimate_runs_ten_steps_and_prints_the_figures(as_person, snapshot, mia, settings):
    settings.PRICE_PER_CORE_HOUR, settings.CURRENCY = 0.08, "EUR"

    result = as_person(mia)(
        "runs", "estimate", "inbox@1", "--set", "epochs=3", during=lambda: measured(Estimate.objects.get())
    )

    found = Estimate.objects.get()
    assert (result.code, found.spec["epochs"], Run.objects.exists()) == (0, 3, False)
    assert result.err.startswith("Running ten steps: ")
    assert [line.split("  ")[0] for line in result.out.splitlines()] == [
        "Whole run",
        "Step",
        "Peak memory",
        "Disk",
        "Model",
        "Cost",
    ]
    assert "0.200 s, 9 steps, 3 evaluations" in result.out
