from django.apps import AppConfig


class AssistConfig(AppConfig):
    """What labels by machine: labeling functions and the built-in model."""

    name = "datasets_app.assist"
    label = "assist"

    def ready(self) -> None:
        """Bring what this room adds to the rooms below it."""
        from datasets_app.assist import bindings

        bindings.bind()
