"""`manage.py publish_routes`: what the inference servers should know."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from registry.endpoints import actions


class Command(BaseCommand):
    """Safe to call at any time: writes nothing when the document is current."""

    help = "Publish the signed routing config for the inference servers."

    def handle(self, *args: Any, **options: Any) -> None:
        """Publish and print the config version."""
        self.stdout.write(f"Published config v{actions.publish()}.")
