from django.apps import AppConfig


class ReviewConfig(AppConfig):
    """What people resolve: disputes, spot checks, and labels that follow a schema change."""

    name = "datasets_app.review"
    label = "review"

    def ready(self) -> None:
        """Bring what this room adds to the rooms below it."""
        from datasets_app.review import bindings

        bindings.bind()
