from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Background work: the queue of record, its workers and its progress."""

    name = "lifecycle.ground.jobs"
    label = "jobs"

    def ready(self) -> None:
        """Bind shared tasks to our Celery app, schedule the repair of the queue, and register the page in the
        navigation.
        """
        from lifecycle.ground.jobs import (
            celery,  # noqa: F401  shared_task binds to this app, in the web process too
            queries,
            schedule,
        )
        from lifecycle.ui import navigation

        schedule.every(5, "lifecycle.ground.jobs.tasks.repair")
        navigation.register(
            navigation.NavItem("Training", "Jobs", "jobs:list", order=90, count=queries.open_count)
        )
