from django.apps import AppConfig


class QueuesConfig(AppConfig):
    """Who annotates what: queues, the bench, annotations, comments, and labels that follow from
    annotations.
    """

    name = "datasets_app.queues"
    label = "queues"

    def ready(self) -> None:
        """Register with the rooms below."""
        from datasets_app.queues import bindings

        bindings.bind()
