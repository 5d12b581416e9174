from django.apps import AppConfig


class LabelingConfig(AppConfig):
    """Labels: what to annotate, annotations, and resolved labels."""

    name = "datasets_app.labeling"
    label = "labeling"

    def ready(self) -> None:
        """Register labels for imports, the job types, and the navigation entry."""
        from datasets_app.labeling import bindings

        bindings.bind()
