from django.apps import AppConfig


class TraceConfig(AppConfig):
    """The thread from a prediction down to the people who labeled, and from an item up to everything it touched."""

    name = "lifecycle.roof.trace"
    label = "trace"

    def ready(self) -> None:
        """Bring the job that finds the nearest training items."""
        from lifecycle.ground.jobs import registry
        from lifecycle.roof.trace import tasks

        registry.register(registry.JobKind("trace.neighbours", "Find nearest training items", tasks.neighbours, url=tasks.page))
