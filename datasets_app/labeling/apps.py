from django.apps import AppConfig


class LabelingConfig(AppConfig):
    """Labels: who needs to say what, who said it, and what was decided."""

    name = "datasets_app.labeling"
    label = "labeling"

    def ready(self) -> None:
        """Bring labels to imports, the job that fills queues, and the line in the navigation."""
        from datasets_app.labeling import bindings

        bindings.bind()
