from django.apps import AppConfig


class DemoConfig(AppConfig):
    """A believable workspace for an empty installation, made through the product's own actions."""

    name = "lifecycle.roof.demo"
    label = "demo"

    def ready(self) -> None:
        """Register the seeding job, its start on an empty database, and the start address."""
        from lifecycle.ground.jobs import registry, startup
        from lifecycle.roof.demo import actions, start, tasks

        registry.register(registry.JobKind("demo.seed", "Create demo project", tasks.seed, url=tasks.page))
        startup.on_empty(actions.start)
        startup.begin_at(start.path)
