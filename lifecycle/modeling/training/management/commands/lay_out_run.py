"""`manage.py lay_out_run RUN`: write a run's spec, rows, and base to its folder, for training on another
machine.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from lifecycle.modeling.training.folders import prepare, run_folder
from lifecycle.modeling.training.models import Run
from lifecycle.modeling.training.rules import RunState

FREE = (RunState.PAUSED, RunState.STOPPED, RunState.FAILED)


class Command(BaseCommand):
    """The texts stay in the folder until the run is resumed and has imported the result."""

    help = "Export the folder of a paused, stopped, or failed run so that another machine can train it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """RUN"""
        parser.add_argument("run", type=UUID, help="the run's UUID, as in its page's URL")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the folder and print its path."""
        run = Run.objects.select_related("snapshot", "base__folder").filter(uuid=options["run"]).first()
        if run is None:
            raise CommandError("Run not found.")
        if run.state not in FREE:
            raise CommandError(
                f"{run} is {run.get_state_display().lower()}. Pause it first so that no worker writes to its"
                " folder."
            )
        folder = run_folder(run)
        prepare(run, folder)
        self.stdout.write(str(folder))
