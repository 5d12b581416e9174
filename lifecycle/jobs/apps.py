from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Background work: the queue of record, its workers and its progress."""

    name = "lifecycle.jobs"
    label = "jobs"

    def ready(self) -> None:
        """Bind shared tasks to our Celery app, and have the queue repaired."""
        from lifecycle.jobs import (
            celery,  # noqa: F401  shared_task binds to this app, in the web process too
            schedule,
        )

        schedule.every(5, "lifecycle.jobs.tasks.repair")
