from django.apps import AppConfig


class TrafficConfig(AppConfig):
    """Predictions, their rollups, and feedback on them."""

    name = "monitoring.traffic"
    label = "traffic"

    def ready(self) -> None:
        """Have the spool read, hours and days added up, the serving port probed, and what is old cleared
        away.
        """
        from lifecycle.ground.jobs import schedule

        schedule.every(2, "monitoring.traffic.tasks.ingest")
        schedule.every(3600, "monitoring.traffic.tasks.forget_texts")
        schedule.every(60, "monitoring.traffic.tasks.build_rollups")
        schedule.every(3600, "monitoring.traffic.tasks.clear_old")
        schedule.every(5, "monitoring.traffic.tasks.probe")
        schedule.every(60, "monitoring.traffic.tasks.count_lost")
