from django.apps import AppConfig


class TrafficConfig(AppConfig):
    """Predictions that were made, their rollups, and what people said of them."""

    name = "monitoring.traffic"
    label = "traffic"

    def ready(self) -> None:
        """Have the spool read every two seconds, and old texts erased every hour."""
        from lifecycle.jobs import schedule

        schedule.every(2, "monitoring.traffic.tasks.ingest")
        schedule.every(3600, "monitoring.traffic.tasks.forget_texts")
