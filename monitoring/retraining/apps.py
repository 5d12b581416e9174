from django.apps import AppConfig


class RetrainingConfig(AppConfig):
    """When a model should be trained again, with the reasons for and against."""

    name = "monitoring.retraining"
    label = "retraining"

    def ready(self) -> None:
        """Have triggers asked and proposals carried on every fifteen seconds."""
        from lifecycle.jobs import schedule

        schedule.every(15, "monitoring.retraining.tasks.tick")
