from django.apps import AppConfig


class QualityConfig(AppConfig):
    """Label quality: agreement, gold items, annotators, and reports."""

    name = "datasets_app.quality"
    label = "quality"

    def ready(self) -> None:
        """Register with the rooms below."""
        from datasets_app.quality import bindings

        bindings.bind()
