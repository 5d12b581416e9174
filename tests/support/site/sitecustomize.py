"""Python runs this as it starts, where this folder is in PYTHONPATH: see `forked.in_processes`."""

import os
import subprocess

from tests.support.forked import Forked

Forked.address, Forked.cold = os.environ["ENGINE_FORKS"], ("warm",)
subprocess.Popen = Forked
