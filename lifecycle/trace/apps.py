from django.apps import AppConfig


class TraceConfig(AppConfig):
    """The thread from a prediction down to the people who labelled, and from an item up to everything it touched."""

    name = "lifecycle.trace"
    label = "trace"

    def ready(self) -> None:
        """Bring the job that finds the nearest training items."""
        from lifecycle.jobs import registry
        from lifecycle.trace import tasks

        registry.register(registry.JobKind("trace.neighbours", "Find nearest training items", tasks.neighbours, url=tasks.page))
