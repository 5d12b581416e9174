"""Every strategy that can be divided, with every recipe and architecture of the tables in docs/strategies.md, steps as the whole model."""

import json
import os
import subprocess
import sys

import pytest

from tests.engine.conftest import ROOT
from tests.engine.divided_cases import DECODING, ENCODING, name_of

pytestmark = pytest.mark.engine
SETTINGS = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What two processes found of all cases, by name."""
    folder = tmp_path_factory.mktemp("divided")
    commands = [[sys.executable, "-m", "tests.engine.dividing", str(rank), str(folder)] for rank in (0, 1)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    both = [subprocess.Popen(each, cwd=ROOT, env=os.environ | SETTINGS, **pipes) for each in commands]
    said = [each.communicate(timeout=400)[0] for each in both]
    assert [each.returncode for each in both] == [0, 0], said
    return json.loads((folder / "found.json").read_text())


@pytest.mark.parametrize("case", [name_of(*each) for each in (*ENCODING, *DECODING)])
def test_two_steps_of_a_divided_model_are_those_of_the_whole_one(case, found):
    one = found[case]

    assert one["moved"] > 1e-3
    assert one["difference"] < 1e-6
    assert one["held"] <= one["all"] / 2 + 100  # of a weight with an odd number of rows one process holds one row more
