from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lifecycle.runtime.refusals import Refused
from registry.ground.ledger import verify
from registry.ground.ledger.faults import Fault, counted


class Command(BaseCommand):
    """Verify the audit log; exit 1 and name every rule that does not hold, with where and what."""

    help = "Verify the audit log: hashes, names, signed checkpoints, and the database against the log."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--checkpoint FILE, several times: files that you kept elsewhere, read beside those of
        AUDIT_CHECKPOINT_DIR.
        """
        parser.add_argument("--checkpoint", action="append", type=Path, default=[])

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a line for each fault, and one for each part that was walked."""
        for path in options["checkpoint"]:
            if not path.is_file():
                raise CommandError(f"File not found: {path}.")
        faults = 0
        try:
            for found in verify.verify_all(options["checkpoint"]):
                faults += isinstance(found, Fault)
                (self.stderr if isinstance(found, Fault) else self.stdout).write(str(found))
        except Refused as refusal:
            raise CommandError(
                f"The audit log wasn't verified: {refusal} {refusal.next_step}".strip()
            ) from refusal
        if faults:
            raise CommandError(f"Audit log verification failed: {counted(faults, 'fault')}.")
