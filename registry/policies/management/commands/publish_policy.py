"""`manage.py publish_policy`: the operator's way to a new version of a policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from lifecycle.refusals import Refused
from registry.policies import actions, queries


class Command(BaseCommand):
    """Publishes a text as the next version of the policy that it names. What was published stays as it is."""

    help = "Publish a policy: a YAML file, or the standard policy of this release. Open requests under the version before become void."

    def add_arguments(self, parser: CommandParser) -> None:
        """The file."""
        parser.add_argument("file", type=Path, nargs="?", default=queries.STANDARD, help="by default the standard policy of this release")

    def handle(self, *args: Any, **options: Any) -> None:
        """Publish it and say as what."""
        try:
            policy = actions.publish(text=options["file"].read_text(encoding="utf-8"), actor=None)
        except Refused as refusal:
            raise CommandError(f"{refusal.message} {refusal.next_step}") from refusal
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{options['file']} could not be read: {error}") from error
        self.stdout.write(f"Published: {policy.name}, version {policy.version}.")
