from django.apps import AppConfig


class AssistConfig(AppConfig):
    """Automatic pre-labels: labeling functions and the built-in model."""

    name = "datasets_app.assist"
    label = "assist"

    def ready(self) -> None:
        """Register with the rooms below."""
        from datasets_app.assist import bindings

        bindings.bind()
