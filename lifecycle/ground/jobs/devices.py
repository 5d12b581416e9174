"""The device that this worker process serves, and what its children may see of the machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass

from lifecycle.ground.jobs.rules import Device

LOOK_SECONDS = 120.0
# in a process of its own: a worker never holds a GPU itself
COUNT = "import torch; print(torch.cuda.device_count())"


@dataclass(frozen=True, slots=True)
class Serving:
    """device: CPU or GPU. gpus: those that children see, as CUDA_VISIBLE_DEVICES names them; empty where they
    see none.
    """

    device: Device = Device.CPU
    gpus: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"cuda:{','.join(self.gpus)}" if self.gpus else "cpu"


_serving = Serving()


def serving() -> Serving:
    """What this process serves: the CPU, unless `serve` has set another device."""
    return _serving


def serve(serving: Serving) -> None:
    """Set the device that this process serves."""
    global _serving  # noqa: PLW0603  one process is one worker
    _serving = serving


def read(text: str, visible: str | None) -> Serving:
    """cpu, cuda (the first GPU), cuda:1, or cuda:0,1 for runs of several processes. visible:
    CUDA_VISIBLE_DEVICES of this process, among which the numbers count; None where it is not set. Raises
    ValueError with a sentence.
    """
    if text.strip() == Device.CPU:
        return Serving()
    found = re.fullmatch(r"cuda(?::([0-9]{1,4}(?:,[0-9]{1,4})*))?", text.strip())
    wanted = (found[1] or "0").split(",") if found else []
    if not wanted or len(set(wanted)) != len(wanted):
        raise ValueError(
            f"The device must be cpu, cuda, cuda:N, or cuda:N,N with GPU numbers from 0, got {text!r}."
        )
    if visible is None:
        return Serving(Device.GPU, tuple(wanted))
    seen = [each.strip() for each in visible.split(",") if each.strip()]
    if beyond := next((each for each in wanted if int(each) >= len(seen)), None):
        raise ValueError(f"GPU {beyond} not found: CUDA_VISIBLE_DEVICES lists {len(seen)}.")
    return Serving(Device.GPU, tuple(seen[int(each)] for each in wanted))


def count_gpus(serving: Serving) -> int:
    """How many of these GPUs torch can use here; 0 if unknown."""
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ",".join(serving.gpus)}
    try:
        found = subprocess.run(
            [sys.executable, "-c", COUNT],
            env=environment,
            capture_output=True,
            text=True,
            timeout=LOOK_SECONDS,
        )
        return int(found.stdout.strip() or 0) if found.returncode == 0 else 0
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 0
