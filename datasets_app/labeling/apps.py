from django.apps import AppConfig


class LabelingConfig(AppConfig):
    """Labels: who needs to say what, who said it, and what was decided."""

    name = "datasets_app.labeling"
    label = "labeling"
