"""What a run has cost, over its stages and attempts."""

import json

import pytest

from lifecycle.runtime.engine.effort import Effort

pytestmark = pytest.mark.engine


@pytest.fixture
def clock(monkeypatch):
    """Time that a test advances: clock(seconds, seconds of CPU)."""
    now = [100.0, 40.0]

    def pass_by(seconds, cpu):
        now[0] += seconds
        now[1] += cpu

    monkeypatch.setattr("lifecycle.runtime.engine.effort.time.monotonic", lambda: now[0])
    monkeypatch.setattr("lifecycle.runtime.engine.effort.time.process_time", lambda: now[1])
    return pass_by


def test_each_stage_has_its_own_time(tmp_path, clock):
    effort = Effort(tmp_path)
    clock(2, 1)
    effort.stage("train")
    clock(10, 20)

    assert effort.to_json() == {
        "seconds": 12.0,
        "cpu_seconds": 21.0,
        "stages": {
            "prepare": {"seconds": 2.0, "cpu_seconds": 1.0},
            "train": {"seconds": 10.0, "cpu_seconds": 20.0},
        },
    }


def test_another_attempt_adds_to_what_was_kept(tmp_path, clock):
    first = Effort(tmp_path)
    clock(2, 1)
    first.stage("train")
    clock(3, 6)
    first.keep()
    clock(5, 9)  # lost with a kill

    second = Effort(tmp_path)
    clock(1, 1)
    second.stage("train")
    clock(4, 8)

    assert second.to_json()["stages"] == {
        "prepare": {"seconds": 3.0, "cpu_seconds": 2.0},
        "train": {"seconds": 7.0, "cpu_seconds": 14.0},
    }


@pytest.mark.parametrize("torn", ["", "[]", '{"train": 3}', '{"train": {"seconds": 1}}'])
def test_a_torn_file_is_ignored(torn, tmp_path, clock):
    (tmp_path / "effort.json").write_text(torn)

    assert Effort(tmp_path).to_json() == {
        "seconds": 0.0,
        "cpu_seconds": 0.0,
        "stages": {"prepare": {"seconds": 0.0, "cpu_seconds": 0.0}},
    }


def test_a_run_reports_what_it_has_cost(run_folder, train_here):
    folder = run_folder(epochs=3)

    result = train_here(folder)

    assert list(result["stages"]) == ["prepare", "train", "artifact"]
    assert result["cpu_seconds"] == pytest.approx(
        sum(each["cpu_seconds"] for each in result["stages"].values()), abs=0.01
    )
    assert result["seconds"] > 0
    assert json.loads((folder / "effort.json").read_text()).keys() == result["stages"].keys()


def test_a_run_that_fails_reports_what_it_has_cost(run_folder, train_here):
    folder = run_folder(strategy={"kind": "full", "frozen_layers": 2})

    result = train_here(folder)

    assert (result["status"], list(result["stages"])) == ("failed", ["prepare"])
    assert result["seconds"] > 0
