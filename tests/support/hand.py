"""A hand inside a running installation, for what has no page: `python -m tests.support.hand` runs Python that
comes as JSON strings, one a line, and answers each with {"printed", "error"}. It starts Django once for all
of them, which `manage.py shell` does for each.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Hand:
    """The test's end of it. It ends with `let_go`, or with the test's process."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.hand"],
                cwd=ROOT,
                env=environment | {"PYTHONPATH": str(ROOT)},
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )

    def do(self, code: str) -> str:
        """Run it; returns what it printed. Fails the test where it failed."""
        self.process.stdin.write(json.dumps(code) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "The hand has ended."
        reply = json.loads(line)
        assert not reply["error"], reply["error"]
        return str(reply["printed"])

    def let_go(self) -> None:
        """Its process ends."""
        self.process.stdin.close()
        self.process.wait(60)


def main() -> None:
    """Run code until the other end closes."""
    from django.db import connection

    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        error, printed = "", io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                exec(json.loads(line), {"__name__": "hand"})  # noqa: S102
        except BaseException:
            error = traceback.format_exc()
        connection.close()
        answers.write(json.dumps({"printed": printed.getvalue(), "error": error}) + "\n")
        answers.flush()


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "lifecycle.settings"
    import django

    django.setup()
    main()
