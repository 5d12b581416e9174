"""`manage.py publish_policy`: the operator's way to a new version of a policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from lifecycle.runtime.refusals import Refused
from registry.policies import actions, queries


class Command(BaseCommand):
    """Publishes a text as the next version of the policy that it names. What was published stays as it is."""

    help = (
        "Publish a policy: a YAML file, or this release's standard policy. Voids open requests under the"
        " previous version."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The file."""
        parser.add_argument(
            "file",
            type=Path,
            nargs="?",
            default=queries.STANDARD,
            help="default: this release's standard policy",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Publish it and print its version."""
        try:
            policy = actions.publish(text=options["file"].read_text(encoding="utf-8"), actor=None)
        except Refused as refusal:
            raise CommandError(f"{refusal.message} {refusal.next_step}") from refusal
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{options['file']} couldn't be read: {error}") from error
        self.stdout.write(f"Published {policy.name}, version {policy.version}.")
