"""`python -m lifecycle.runtime.engine VERB DIR`: one verb on one folder. Exit status: 0 for succeeded, 1
failed, 143 cancelled.

The verbs are those of `program.VERBS`. SIGTERM, or the end of a pipe on standard input, asks a run to stop.
"""

from __future__ import annotations

import os
import sys
import warnings

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")

from pathlib import Path  # noqa: E402

from lifecycle.runtime.engine import program  # noqa: E402

VERBS = "|".join(verb for verb in program.VERBS if verb != "warm")
USAGE = f"Usage: python -m lifecycle.runtime.engine {{{VERBS}}} DIR, or warm SOCKET"


def main(arguments: list[str]) -> int:
    """Run one verb; returns the exit status."""
    if len(arguments) != 2 or arguments[0] not in program.VERBS:
        print(USAGE, file=sys.stderr)
        return 2
    return program.run(arguments[0], Path(arguments[1]).resolve())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
