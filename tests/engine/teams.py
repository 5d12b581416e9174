"""What tests of several processes of one run share: how it is followed, and how one of them is killed."""

from __future__ import annotations

import time
from threading import Thread

import psutil
import pytest

from lifecycle.engine.events import points, read_events


def curve(folder):
    """(step, values) of each point of a run."""
    return [(point.step, point.values) for point in points(read_events(folder / "events.jsonl")[0])]


def assert_same_curve(alone, together):
    """The curves of two run folders are equal within rounding."""
    assert [step for step, _ in curve(together)] == [step for step, _ in curve(alone)]
    for (step, values), (_, others) in zip(curve(alone), curve(together), strict=True):
        for name in ("train_loss", "validation_loss", "learning_rate", "gradient_norm", "macro_f1"):
            assert others.get(name) == pytest.approx(values.get(name), rel=1e-3, abs=1e-6), (step, name)


def children():
    """The other processes of a run that is trained here."""
    return [each for each in psutil.Process().children() if "calm_follower" in " ".join(each.cmdline())]


def kill_when(condition):
    """Kill the other process in the moment in which the condition holds."""

    def watch():
        while not condition():
            time.sleep(0.005)
        for each in children():
            each.kill()

    thread = Thread(target=watch)
    thread.start()
    return thread


def digest(folder):
    """The bytes of an artifact's weights, by file."""
    return {each.name: each.read_bytes() for each in sorted((folder / "artifact").glob("*.safetensors"))}
