"""Strategies that can be divided, with tasks and architectures of the tables in docs/strategies.md, step as
the whole model.
"""

import json
import os
import subprocess
import sys

import pytest

from tests.engine.conftest import ROOT
from tests.engine.divided_cases import DECODING, ENCODING, name_of

pytestmark = pytest.mark.engine
COMMAND = (sys.executable, "-m", "tests.engine.dividing")
SETTINGS = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "TRANSFORMERS_VERBOSITY": "error"}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What two processes found of all cases, by name."""
    folder = tmp_path_factory.mktemp("divided")
    # files, since a full pipe would block both
    outputs = [(folder / f"output-{rank}").open("w+") for rank in (0, 1)]
    both = [
        subprocess.Popen(
            [*COMMAND, str(rank), str(folder)],
            cwd=ROOT,
            env=os.environ | SETTINGS,
            stdout=to,
            stderr=subprocess.STDOUT,
        )
        for rank, to in enumerate(outputs)
    ]
    try:
        ends = [each.wait(timeout=400) for each in both]
    finally:
        for each, to in zip(both, outputs, strict=True):
            each.kill()
            each.wait()
            to.close()
    assert ends == [0, 0], [(folder / f"output-{rank}").read_text()[-3000:] for rank in (0, 1)]
    return json.loads((folder / "found.json").read_text())


@pytest.mark.parametrize("case", [name_of(*each) for each in (*ENCODING, *DECODING)])
def test_two_steps_of_a_divided_model_are_those_of_the_whole_one(case, found):
    one = found[case]

    assert one["moved"] > 1e-3
    assert one["difference"] < 1e-6
    # of a weight with an odd number of rows one process holds one row more
    assert one["held"] <= 0.51 * one["all"]
