from django.apps import AppConfig


class DriftConfig(AppConfig):
    """Whether what the servers see today still looks like what the version was evaluated on."""

    name = "monitoring.drift"
    label = "drift"

    def ready(self) -> None:
        """Have due windows measured every five minutes; register the two jobs and the page in the
        navigation.
        """
        from lifecycle.ground.jobs import registry, schedule
        from lifecycle.ui import navigation
        from lifecycle.ui.navigation import NavItem
        from monitoring.drift import queries, tasks
        from registry.ground.access.policy import can_somewhere

        schedule.every(300, "monitoring.drift.tasks.tick")
        registry.register(
            registry.JobKind(
                "drift.texts",
                "Compare texts with the evaluation",
                tasks.texts,
                url=tasks.page,
                on_failed=tasks.failed,
            )
        )
        registry.register(
            registry.JobKind(
                "drift.measure", "Measure drift now", tasks.measure, url=tasks.page, on_failed=tasks.failed
            )
        )
        navigation.register(
            NavItem(
                "Serving",
                "Drift",
                "drift:list",
                order=30,
                show=lambda user: can_somewhere(user, "drift.view"),
                count=queries.open_count,
            )
        )
