"""What tests of several processes of one run share: how it is followed, and how another than the first is
killed.
"""

from __future__ import annotations

import pytest
from safetensors.torch import load_file

from lifecycle.runtime.engine import checkpoint
from lifecycle.runtime.engine.events import points, read_events
from tests.support.processes import family

PACE = {"examples_per_second", "memory_mb"}


def curve(folder):
    """(step, values) of each point of a run."""
    return [(point.step, point.values) for point in points(read_events(folder / "events.jsonl")[0])]


def assert_same_curve(alone, together):
    """The curves of two run folders are equal within rounding. A point may have only a loss or only an
    evaluation.
    """
    one, two = (dict(curve(folder)) for folder in (alone, together))
    assert list(one) == list(two)
    for step, values in one.items():
        others = two[step]
        assert values.keys() == others.keys()
        for name in values.keys() - PACE:
            assert others[name] == pytest.approx(values[name], rel=1e-3, abs=1e-6), (step, name)


def assert_same_artifact(alone, divided):
    """The same tensors in the artifacts of two run folders, within rounding."""
    names = [
        sorted(each.name for each in (folder / "artifact").glob("*.safetensors"))
        for folder in (alone, divided)
    ]
    assert names[0] == names[1] != []
    for name in names[0]:
        one, two = (load_file(folder / "artifact" / name) for folder in (alone, divided))
        assert one.keys() == two.keys()
        assert all((one[each] - two[each]).abs().max() < 1e-3 for each in one)


def children():
    """The other processes of a run that is trained here."""
    return family("calm_follower")


def killed_after(checkpoints, monkeypatch):
    """Have the other process of the next run that comes so far be killed, once this one has sealed so many
    checkpoints.
    """
    seal, sealed = checkpoint.seal, []

    def seal_and_kill(folder):
        seal(folder)
        sealed.append(folder)
        if len(sealed) == checkpoints:
            for each in children():
                each.kill()

    monkeypatch.setattr(checkpoint, "seal", seal_and_kill)


def digest(folder):
    """The bytes of an artifact's weights, by file."""
    return {each.name: each.read_bytes() for each in sorted((folder / "artifact").glob("*.safetensors"))}
