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


def test_advice_tells_the_verdict_the_warnings_and_each_setting_with_its_reason(as_person, snapshot, mia):
    said = as_person(mia)("runs", "advise", "inbox@1", "--sensitive", "--minutes", "30")

    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0].startswith("Train adapters only, and keep labeling. ")
    assert any(line.startswith("watch: The texts are sensitive.") for line in lines)
    assert any(line.split()[:2] == ["patience", "2"] for line in lines)
    assert not Run.objects.exists()


def test_who_may_not_train_is_told_who_may(as_person, snapshot, ana):
    said = as_person(ana)("runs", "advise", "inbox@1")

    assert said.code == 1
    assert "ML engineer" in said.err


def test_ten_steps_are_tried_and_told(as_person, snapshot, mia, settings):
    settings.PRICE_PER_CORE_HOUR, settings.CURRENCY = 0.08, "EUR"

    said = as_person(mia)("runs", "estimate", "inbox@1", "--set", "epochs=3", during=lambda: measured(Estimate.objects.get()))

    found = Estimate.objects.get()
    assert (said.code, found.spec["epochs"], Run.objects.exists()) == (0, 3, False)
    assert said.err.startswith("Running ten steps: ")
    assert [line.split("  ")[0] for line in said.out.splitlines()] == ["Whole run", "Step", "Peak memory", "Disk", "Model", "Cost"]
    assert "0.200 s, 9 steps, 3 evaluations" in said.out
