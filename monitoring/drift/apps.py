from django.apps import AppConfig


class DriftConfig(AppConfig):
    """Whether what the servers see today still looks like what the version was evaluated on."""

    name = "monitoring.drift"
    label = "drift"
