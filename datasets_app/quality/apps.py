from django.apps import AppConfig


class QualityConfig(AppConfig):
    """How good labels are: agreement, gold items, annotators, and measured reports."""

    name = "datasets_app.quality"
    label = "quality"

    def ready(self) -> None:
        """Bring what this room adds to the rooms below it."""
        from datasets_app.quality import bindings

        bindings.bind()
