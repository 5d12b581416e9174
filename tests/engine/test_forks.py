"""A program that is forked behaves for its parent like one that was started cold."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

from tests.engine.test_resume import wait_for
from tests.support.forked import ORDINARY, Forked, in_processes

pytestmark = pytest.mark.engine
ENGINE = (sys.executable, "-m", "lifecycle.runtime.engine")


@pytest.fixture
def waiting(run_folder):
    """A process of a long run that has begun training."""
    folder = run_folder(epochs=1000, batch_size=4)
    process = subprocess.Popen(
        [*ENGINE, "train", str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    wait_for(process, folder, 1)
    yield process, folder
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_exit_status_and_output_are_returned():
    done = subprocess.run([*ENGINE, "nonsense"], capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: python -m lifecycle.runtime.engine")


def test_it_has_the_environment_folder_and_command_line_that_it_was_given(tmp_path):
    environment = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}
    (tmp_path / "probe").mkdir()

    done = subprocess.run(
        [*ENGINE, "probe", "probe"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "probe" / "result.json").read_text())["status"] == "succeeded"


def test_it_leads_a_session_of_its_own_and_shows_its_command(waiting):
    process, folder = waiting

    assert isinstance(process, Forked)
    assert os.getsid(process.pid) == process.pid
    assert list(filter(None, psutil.Process(process.pid).cmdline())) == [*ENGINE, "train", str(folder)]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_signal_ends_it_as_it_ends_any_process(waiting, number):
    process, folder = waiting
    process.send_signal(number)

    assert process.wait(60) == (-signal.SIGKILL if number == signal.SIGKILL else 143)
    assert not psutil.pid_exists(process.pid)
    assert (folder / "result.json").exists() == (number == signal.SIGTERM)


def test_it_stops_when_its_pipe_ends(waiting):
    process, folder = waiting
    process.stdin.close()

    assert process.wait(60) == 143
    assert json.loads((folder / "result.json").read_text())["status"] == "cancelled"


def test_a_process_requested_to_start_cold_is_a_child_of_this_process(cold):
    assert subprocess.Popen is ORDINARY
    done = subprocess.run([*ENGINE, "nonsense"], capture_output=True, text=True)
    assert done.returncode == 2


def test_a_python_process_forks_them_too_but_for_the_warm_engine():
    code = (
        "import subprocess, sys\n"
        "for verb in ('nonsense', 'warm'):\n"
        "    command = [sys.executable, '-m', 'lifecycle.runtime.engine', verb]\n"
        "    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)\n"
        "    print(verb, process.wait(), process.status is not None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | in_processes(), capture_output=True, text=True
    )

    assert done.stdout.splitlines() == ["nonsense 2 True", "warm 2 False"], done.stderr
