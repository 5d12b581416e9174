from django.apps import AppConfig


class TraceConfig(AppConfig):
    """Lineage: from a prediction down to the people who labeled, and from an item up to all that uses it."""

    name = "lifecycle.roof.trace"
    label = "trace"

    def ready(self) -> None:
        """Register the jobs that find the nearest training items and the effects of words."""
        from lifecycle.ground.jobs import registry
        from lifecycle.ground.jobs.rules import Queue
        from lifecycle.modeling.training.folders import forget
        from lifecycle.roof.trace import tasks

        registry.register(
            registry.JobKind(
                "trace.neighbours", "Find nearest training items", tasks.neighbours, url=tasks.page
            )
        )
        registry.register(
            registry.JobKind(
                "trace.attribution",
                "Compute word attribution",
                tasks.attribution,
                queue=Queue.EVALUATION,
                url=tasks.page,
                on_failed=forget,
                on_cancelled=forget,
            )
        )
