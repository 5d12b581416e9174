"""Advice on a snapshot from a shell."""

from __future__ import annotations

from lifecycle.training.models import Run
from tests.support.training import make_base, make_snapshot


def test_advice_tells_the_verdict_the_warnings_and_each_setting_with_its_reason(as_person, project, mia):
    make_snapshot(project, mia, name="Inbox")
    make_base(project, mia)

    said = as_person(mia)("advise", "inbox@1", "--sensitive", "--minutes", "30")

    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0].startswith("Train the head alone, and label on. ")
    assert any(line.startswith("watch: The texts are sensitive.") for line in lines)
    assert any(line.split()[:2] == ["patience", "2"] for line in lines)
    assert not Run.objects.exists()


def test_who_may_not_train_is_told_who_may(as_person, project, mia, ana):
    make_snapshot(project, mia, name="Inbox")
    make_base(project, mia)

    said = as_person(ana)("advise", "inbox@1")

    assert said.code == 1
    assert "ML engineer" in said.err
