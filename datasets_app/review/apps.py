from django.apps import AppConfig


class ReviewConfig(AppConfig):
    """Review: disputes, spot checks, and labels after a schema change."""

    name = "datasets_app.review"
    label = "review"

    def ready(self) -> None:
        """Register with the rooms below."""
        from datasets_app.review import bindings

        bindings.bind()
