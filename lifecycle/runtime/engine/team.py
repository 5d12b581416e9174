"""Several processes that train one model, each on its share of every batch, so that steps, rates and losses
stay those of one.

The first process is the run: it locks the folder, writes events, checkpoints and the artifact, decides when
to save and to stop, and starts the others, which end with it. Gradients are averaged by torch's
DistributedDataParallel, or, where the model is divided among them, as in `sharding`.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate.state import AcceleratorState
from torch import Tensor, distributed
from transformers import TrainerCallback

from lifecycle.runtime.engine import devices
from lifecycle.runtime.engine.document import SpecError
from lifecycle.runtime.engine.faults import EngineFault

FOLLOWER = (sys.executable, "-m", "lifecycle.runtime.engine.follow")
MEETING = "LIFECYCLE_TEAM"  # where the processes of a team find each other
LONGEST_WAIT = timedelta(hours=12)  # while the first validates alone
MEETING_PAUSE = 0.02  # seconds between checks for processes that have joined, for each of the others
NO_MEMORY = 76  # exit status of a process that ran out of memory
LESS = {  # memory for each process; by whether the model is divided among them
    False: "use fewer processes, or shard the model (sharded)",
    True: "shard the model across more processes, each on its own GPU",
}
Decision = TypeVar("Decision")


class Team:
    """size: how many processes. rank: which of them this one is; 0 leads. device: cpu or cuda, of which each
    takes one. sharded: whether the model is divided among them.
    """

    def __init__(
        self, folder: Path, size: int = 1, rank: int = 0, device: str = devices.CPU, *, sharded: bool = False
    ) -> None:
        self.folder, self.size, self.rank, self.device, self.sharded = folder, size, rank, device, sharded
        self.others: list[subprocess.Popen[bytes]] = []
        self.before: dict[str, str | None] = {}  # of the environment
        self.meeting: Path | None = None

    @property
    def leads(self) -> bool:
        """Whether this process is the run."""
        return self.rank == 0

    def gather(self) -> None:
        """Start the others, which read the same folder. Nothing where this process works alone or follows."""
        if self.size == 1 or not self.leads:
            return
        cores = os.cpu_count() or 1
        # of GPUs there are enough: `devices.prepare` has counted them
        if self.device == devices.CPU and self.size > cores:
            raise SpecError("processes", f"must be at most {cores}, the number of cores of this machine.")
        self.meeting = Path(tempfile.mkdtemp(prefix=".team-", dir=self.folder))
        shared = {
            "WORLD_SIZE": str(self.size),
            MEETING: str(self.meeting),
            "OMP_NUM_THREADS": str(torch.get_num_threads()),
        }
        # asked for, and not used: the store is a file
        shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
        if sys.platform == "linux":
            shared["GLOO_SOCKET_IFNAME"] = "lo"
        for rank in range(1, self.size):
            names = shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            command = [*FOLLOWER, str(self.folder)]
            self.others.append(subprocess.Popen(command, stdin=subprocess.PIPE, env=os.environ | names))
        names = shared | {"RANK": "0", "LOCAL_RANK": "0"}
        self.before = {name: os.environ.get(name) for name in names}
        os.environ.update(names)

    def meet(self) -> None:
        """Wait until all processes are here, and connect. Raises EngineFault where one has ended on the way.

        They find each other by a file in the run's folder, so that no port is open to anyone who reaches this
        machine.
        """
        if self.size == 1:
            return
        meeting = Path(os.environ[MEETING])
        (meeting / f"ready-{self.rank}").touch()
        while self.leads and len(list(meeting.glob("ready-*"))) < self.size:
            if lost := self.lost(within=MEETING_PAUSE):
                raise lost
        kind = "nccl" if self.device == devices.CUDA else "gloo"
        store = f"file://{meeting / 'store'}"
        distributed.init_process_group(
            kind, init_method=store, rank=self.rank, world_size=self.size, timeout=LONGEST_WAIT
        )

    def parts(self, batch: Mapping[str, Tensor], rows: int) -> Iterator[tuple[dict[str, Tensor], bool]]:
        """This process's share of a batch, a few rows at a time, so that all processes together pass so many;
        and whether they count.

        All have the same number of parts, since each averages gradients; a process without rows left passes
        the first one, which does not count.
        """
        step = max(1, rows // self.size)
        own = range(self.rank, len(batch["labels"]), self.size)
        for start in range(0, -(-len(batch["labels"]) // self.size), step):
            some = own[start : start + step]
            taken = slice(some.start, some.stop, self.size) if some else slice(0, 1)
            yield {name: each[taken] for name, each in batch.items()}, bool(some)

    def broadcast(self, decide: Callable[[], Decision]) -> Decision:
        """The decision of the first process, in every process; the others wait for it."""
        if self.size == 1:
            return decide()
        decision: list[Any] = [decide() if self.leads else None]
        distributed.broadcast_object_list(decision, src=0)
        return decision[0]  # type: ignore[no-any-return]

    def wait(self) -> None:
        """Return once all processes have called it."""
        if self.size > 1:
            distributed.barrier()

    def lost(self, *, within: float = 1.0) -> EngineFault | None:
        """The fault where one of the others has ended before its time, or ends within so many seconds from
        now.
        """
        for other in self.others:
            try:
                status = other.wait(within)
            except subprocess.TimeoutExpired:
                continue
            if status == NO_MEMORY:
                return EngineFault(
                    "out_of_memory",
                    f"One of the {self.size} training processes ran out of memory.",
                    f"Halve the batch size or the max sequence length (max_tokens), or {LESS[self.sharded]},"
                    " then start again.",
                )
            if status:
                return EngineFault(
                    "process_lost",
                    f"One of the {self.size} training processes exited with status {status}.",
                    "Check the end of the log, then resume. The run continues from its last checkpoint.",
                )
        return None

    def end(self, *, patience: float = 0.0) -> None:
        """Wait for the others; those that have not ended after so many seconds are killed. Safe twice."""
        if distributed.is_initialized():
            distributed.destroy_process_group()
        for name, value in self.before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if self.size > 1:
            AcceleratorState._reset_state(reset_partial_state=True)  # type: ignore[no-untyped-call]
        for other in self.others:
            try:
                other.wait(patience)
            except subprocess.TimeoutExpired:
                other.kill()
                other.wait()
            if other.stdin is not None:
                other.stdin.close()
        if self.meeting is not None:
            shutil.rmtree(self.meeting, ignore_errors=True)
        self.others, self.before, self.meeting = [], {}, None

    def peak_memory_mb(self) -> float:
        """The most memory that the processes used together, as if all had it at one time. MB of 2^20
        bytes.
        """
        own, other = (
            resource.getrusage(who).ru_maxrss / 1024
            for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
        return own + (self.size - 1) * other


class Obey(TrainerCallback):  # type: ignore[misc]
    """Applies the decisions of the first process's callbacks, which come before this one, in every
    process.
    """

    def __init__(self, team: Team) -> None:
        self.team = team

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Stop, save and evaluate together."""
        return self._agree(control)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Stop together when patience has ended."""
        return self._agree(control)

    def _agree(self, control: Any) -> Any:
        wanted = ("should_training_stop", "should_save", "should_evaluate", "should_log")
        values = self.team.broadcast(lambda: [getattr(control, name) for name in wanted])
        for name, value in zip(wanted, values, strict=True):
            setattr(control, name, value)
        return control


def set_threads(threads: int, processes: int) -> None:
    """So many threads for this process; 0: as torch chooses, evenly divided among the processes."""
    if threads or processes > 1:
        torch.set_num_threads(threads or max(1, torch.get_num_threads() // processes))
