"""`python -m lifecycle.runtime.engine.follow DIR`: a worker process of distributed training, which ends with
the first process.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import lifecycle.runtime.engine.__main__ as _  # noqa: F401  the same settings of libraries, before they are imported
from lifecycle.runtime.engine import program, training
from lifecycle.runtime.engine.faults import is_out_of_memory
from lifecycle.runtime.engine.team import NO_MEMORY, Team


def main(folder: Path) -> int:
    """Take part until the last step. 0, or 76 where memory ran out."""
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, signal.SIG_IGN)  # the first process decides
    program.leave_with_parent()
    try:
        training.follow(folder, Team(folder, int(os.environ["WORLD_SIZE"]), int(os.environ["RANK"])))
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            return NO_MEMORY
        raise
    return 0


if __name__ == "__main__":
    os._exit(main(Path(sys.argv[1])))  # a thread still waits for the first process's end
