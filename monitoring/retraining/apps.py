from django.apps import AppConfig


class RetrainingConfig(AppConfig):
    """When a model should be trained again, with the reasons for and against."""

    name = "monitoring.retraining"
    label = "retraining"
