"""A run is run again from a shell."""

from __future__ import annotations

from uuid import uuid4

import pytest

from lifecycle.modeling.training import actions
from lifecycle.modeling.training.models import Run
from tests.support import training


@pytest.fixture
def snapshot(project, mia):
    return training.make_snapshot(project, mia, name="Inbox")


@pytest.fixture
def first(snapshot, mia):
    return training.make_run(snapshot, mia, splits=())


@pytest.fixture
def again(first, mia):
    """The same run, with other weights."""
    return training.finish_run(actions.reproduce(run_id=first.uuid, actor=mia, key=uuid4()))


def test_running_again_prints_how_to_follow_it(as_person, mia, first, site):
    result = as_person(mia)("runs", "reproduce", "1")

    run = Run.objects.get(number=2)
    assert (result.code, result.err, run.reproduces) == (0, "", first)
    assert result.out == f"Run 2 repeats run 1: {site}/runs/{run.uuid}/\nFollow it: lifecycle runs watch 2\n"


def test_watching_ends_with_how_the_weights_compare(as_person, mia, again):
    result = as_person(mia)("runs", "reproduce", "1", "--key", str(again.key), "--watch")

    assert result.code == 1
    assert result.err.endswith("Different weights in head.safetensors.\n")


def test_equal_weights_end_well(as_person, mia, first, again):
    again.artifact = first.artifact
    again.save(update_fields=["artifact"])

    result = as_person(mia)("runs", "reproduce", "1", "--key", str(again.key), "--watch")

    assert (result.code, result.err.splitlines()[-1]) == (0, "The same weights, bit for bit.")


def test_an_unsuccessful_run_is_not_reproduced(as_person, mia, snapshot):
    training.make_run(snapshot, mia, succeeded=False)

    result = as_person(mia)("runs", "reproduce", "1")

    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("Run 1 has no weights to compare with.")
    assert Run.objects.count() == 1
