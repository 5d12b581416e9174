"""`manage.py beat`: the clock of the periodic tasks."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from lifecycle.ground.jobs import schedule
from lifecycle.ground.jobs.celery import app


class Command(BaseCommand):
    """One is enough; a second one does no harm, since every periodic task is safe twice."""

    help = "Send the periodic tasks."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGTERM."""
        app.conf.beat_schedule = schedule.entries()
        app.start(["--quiet", "beat", "--loglevel", "WARNING", "--pidfile", ""])
