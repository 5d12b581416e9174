"""The command offers the strategies that the server knows, and no list of its own."""

from __future__ import annotations

import pytest

from lifecycle.modeling.training.models import Estimate, Run, Sweep
from lifecycle.modeling.training.rules import Strategy
from lifecycle.runtime.engine.task_types.by_key.settings import settings_of
from tests.support import generation, training
from tests.support.estimates import measured


@pytest.fixture
def classed(project, mia):
    """inbox@1, whose texts have labels."""
    training.make_base(project, mia)
    return training.make_snapshot(project, mia, name="Inbox")


@pytest.fixture
def texts(project, mia):
    """The name of a dataset version for generation, with a decoder as base."""
    generation.make_decoder(project, mia)
    snapshot = generation.generation_snapshot(project, mia)
    return f"{snapshot.dataset.slug}@1"


def test_every_strategy_of_the_server_is_launched_and_tried(as_person, mia, classed, texts, monkeypatch):
    command = as_person(mia)
    taken = set()

    for name in Strategy.values:
        snapshot, base = (
            ("inbox@1", "tiny-base")
            if name in settings_of("single_label").strategies
            else (texts, "tiny-decoder")
        )
        for word in ("launch", "estimate"):
            result = command(
                "runs",
                word,
                snapshot,
                "--base",
                base,
                "--strategy",
                name,
                during=lambda: measured(Estimate.objects.latest("id")),
            )
            assert result.code == 0, (word, name, result.err)
        taken.add(name)

    assert taken == set(Strategy.values) == set(Run.objects.values_list("strategy", flat=True))
    assert set(Estimate.objects.values_list("strategy", flat=True)) == taken


@pytest.mark.parametrize(
    "words",
    [
        ["runs", "launch", "inbox@1"],
        ["runs", "estimate", "inbox@1"],
        ["sweeps", "start", "inbox@1", "--search", "epochs=1,2"],
    ],
)
def test_a_strategy_that_is_not_known_is_refused_with_all_that_are(as_person, mia, classed, words):
    result = as_person(mia)(*words, "--strategy", "lorra")

    assert (result.code, result.out) == (1, "")
    assert f"Unknown strategy “lorra”. Choose one of {', '.join(Strategy.values)}." in result.err
    assert [kind.objects.count() for kind in (Run, Sweep, Estimate)] == [0, 0, 0]


def test_an_unknown_setting_is_refused_with_those_of_the_strategy(as_person, mia, classed):
    result = as_person(mia)("runs", "launch", "inbox@1", "--set", "ranks=8")

    assert result.code == 1
    assert result.err.startswith("ranks isn't a setting of LoRA. Available settings: ")
    named = result.err.splitlines()[0].partition(" settings: ")[2].rstrip(".").split(", ")
    assert {"rank", "alpha", "dora", "epochs", "seed", "device"} <= set(named)
    assert not {"base", "labels", "task", "width", "max_new_tokens"} & set(named)
    assert not Run.objects.exists()
