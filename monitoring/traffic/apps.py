from django.apps import AppConfig


class TrafficConfig(AppConfig):
    """Predictions that were made, their rollups, and what people said of them."""

    name = "monitoring.traffic"
    label = "traffic"

    def ready(self) -> None:
        """Have the spool read every two seconds, hours and days added up every minute, and what is old cleared away every hour."""
        from lifecycle.jobs import schedule

        schedule.every(2, "monitoring.traffic.tasks.ingest")
        schedule.every(3600, "monitoring.traffic.tasks.forget_texts")
        schedule.every(60, "monitoring.traffic.tasks.build_rollups")
        schedule.every(3600, "monitoring.traffic.tasks.clear_old")
