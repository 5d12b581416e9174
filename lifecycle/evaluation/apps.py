from django.apps import AppConfig


class EvaluationConfig(AppConfig):
    """How good a model is on a frozen split, with intervals."""

    name = "lifecycle.evaluation"
    label = "evaluation"
