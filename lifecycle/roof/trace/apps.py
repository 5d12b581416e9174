from django.apps import AppConfig


class TraceConfig(AppConfig):
    """Lineage: from a prediction down to the people who labeled, and from an item up to all that uses it."""

    name = "lifecycle.roof.trace"
    label = "trace"

    def ready(self) -> None:
        """Register the job that finds the nearest training items."""
        from lifecycle.ground.jobs import registry
        from lifecycle.roof.trace import tasks

        registry.register(
            registry.JobKind(
                "trace.neighbours", "Find nearest training items", tasks.neighbours, url=tasks.page
            )
        )
