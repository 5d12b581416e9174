"""Every periodic task is on beat's schedule: otherwise it would never run."""

from lifecycle.ground.jobs import schedule
from lifecycle.ground.jobs.celery import app

RUNG_FOR = {"lifecycle.ground.jobs.tasks.drain"}  # when a job is enqueued


def test_every_task_is_on_the_schedule_or_rung_for_and_what_is_scheduled_exists():
    app.loader.import_default_modules()
    ours = {name for name in app.tasks if not name.startswith("celery.")}

    assert {entry["task"] for entry in schedule.entries().values()} == ours - RUNG_FOR
