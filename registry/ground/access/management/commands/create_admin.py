from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from lifecycle.runtime.refusals import Refused
from registry.ground.access.actions import create_user


class Command(BaseCommand):
    """Make an organisation admin: the first person of an installation, who adds the others on the page
    People.
    """

    help = (
        "Create an organisation admin. Prompts for the password, or reads it from standard input with"
        " --password-stdin."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """USERNAME, --name, --email, --password-stdin."""
        parser.add_argument("username")
        parser.add_argument("--name", default="")
        parser.add_argument("--email", default="")
        parser.add_argument("--password-stdin", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        """Create the person and print where to sign in."""
        password = (
            sys.stdin.readline().rstrip("\n")
            if options["password_stdin"]
            else getpass.getpass("Password (at least 12 characters): ")
        )
        try:
            validate_password(password)
            name = options["name"] or options["username"]
            create_user(
                username=options["username"],
                display_name=name,
                email=options["email"],
                password=password,
                actor=None,
                admin=True,
            )
        except (ValidationError, Refused) as error:
            messages = error.messages if isinstance(error, ValidationError) else [error.message]
            raise CommandError(f"No one was added: {' '.join(messages)}") from error
        self.stdout.write(f"{options['username']} can now sign in and add people and projects.")
