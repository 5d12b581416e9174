from django.apps import AppConfig


class TrainingConfig(AppConfig):
    """Fine-tuning runs: launched, watched, stopped, resumed."""

    name = "lifecycle.training"
    label = "training"
