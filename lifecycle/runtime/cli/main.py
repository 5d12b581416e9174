"""`lifecycle NOUN VERB …`: the nouns, each of whose module is loaded when it is called."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from lifecycle.runtime.cli.verbs import STYLE, load

NOUNS = {
    "login": "Save a server and a token",
    "whoami": "Show whose token this is, and their roles",
    "tokens": "API tokens: list, revoke",
    "projects": "Projects and their members",
    "jobs": "Jobs: watch, prioritize, cancel",
    "datasets": "Datasets: create, upload files, scan",
    "dataset-versions": "Versions of a dataset: create, export",
    "items": "Items of a dataset: search, filter, export",
    "slices": "Saved filters of a dataset's items",
    "data-issues": "Possible data problems found by scans",
    "schema": "Labels and guideline of a dataset",
    "queues": "Labeling queues: open, change, pause, close",
    "functions": "Labeling functions: try, publish, apply",
    "annotations": "Annotations: export for another labeling tool",
    "proposals": "Proposed changes of a guideline",
    "comments": "Comments on items of a queue",
    "gold": "Gold items, and how many of them a queue mixes in",
    "quality": "Agreement and quality of a queue's annotators",
    "checks": "Sample checks that accept agreed items together",
    "corrections": "Files of corrected labels",
    "base-models": "Base models that runs start from",
    "runs": "Fine-tuning runs: advise, estimate, launch, watch",
    "sweeps": "Searches for settings by many runs",
    "evaluations": "Evaluations of runs, and their predictions",
    "models": "Registered models: create, register versions, verify",
    "promotions": "Promotion requests and their gates",
    "endpoints": "Endpoints: deploy, status, roll back, predict, traffic",
    "canary": "Canaries: start, watch, and steer",
    "shadow": "Versions that answer copies of requests",
    "drill": "Injected faults that test whether they are noticed",
    "feedback": "Feedback on predictions",
    "outcomes": "Business figures, with the model and without it",
    "drift": "Drift of traffic since the evaluation",
    "alerts": "Alerts: list, acknowledge, resolve",
    "silences": "Silences of alerts",
    "objectives": "Service-level objectives of an endpoint",
    "channels": "Channels that deliver alerts",
    "retraining": "Retraining proposals and their reasons",
    "dashboard": "Show how the models do, and what needs a person",
    "audit": "Audit log: list, verify",
}
ABOUT = "Work with a Lifecycle server: data, labels, runs, versions, endpoints, feedback, and the audit log."
CODES = """Exit codes: 0 done; 1 refused, or what was watched failed, or what was verified is invalid;
2 wrong usage; 3 the server doesn't respond; 130 you pressed Ctrl-C (what was started continues)"""


class Nouns(TyperGroup):
    """All nouns by name; the commands of one are loaded when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of the lifecycle."""
        return list(NOUNS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A noun with its verbs, or a verb without a noun."""
        return load(cmd_name) if cmd_name in NOUNS else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(NOUNS.items()))


root = typer.Typer(cls=Nouns, help=ABOUT, epilog=CODES, callback=lambda: None, **STYLE)


def main(argv: Sequence[str] | None = None, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Run one command; ends as SystemExit with its exit code. sleep: makes a pause of so many seconds."""
    command: Any = typer.main.get_command(root)
    command.commands = dict.fromkeys(NOUNS)  # for suggestions where a name is misspelled
    command.main(args=list(sys.argv[1:] if argv is None else argv), prog_name="lifecycle", obj=sleep)
