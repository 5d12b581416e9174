from django.apps import AppConfig


class TrafficConfig(AppConfig):
    """Predictions that were made, their rollups, and what people said of them."""

    name = "monitoring.traffic"
    label = "traffic"
