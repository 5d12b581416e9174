from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from lifecycle.refusals import Refused
from registry.ledger import checkpoints, verify


class Command(BaseCommand):
    """Verify the audit trail; exit 1 and name the first bad event of each chain that does not hold."""

    help = "Verify the audit trail against its hashes and the signed checkpoints kept outside the database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--checkpoint FILE may be given several times; by default all files of AUDIT_CHECKPOINT_DIR are read."""
        parser.add_argument("--checkpoint", action="append", type=Path, default=[])

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a line for each chain."""
        files = options["checkpoint"] or sorted(Path(settings.CHECKPOINT_DIR).glob("*.jsonl"))
        try:
            known = [statement for file in files for statement in checkpoints.read_checkpoints(file)]
        except Refused as refusal:
            raise CommandError(f"The signed checkpoints do not hold: {refusal} {refusal.next_step}".strip()) from refusal
        faults = 0
        for chain, count, fault in verify.verify_all(known):
            if fault:
                faults += 1
                self.stderr.write(f"{chain}: broken at event {fault.seq}. {fault.detail}")
            else:
                self.stdout.write(f"{chain}: {count} events, whole.")
        self.stdout.write(f"{len(known)} signed checkpoints read from {len(files)} files.")
        if faults:
            raise CommandError(f"The trail does not hold: {faults} of its chains are broken.")
