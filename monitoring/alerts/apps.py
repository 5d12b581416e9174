from django.apps import AppConfig


class AlertsConfig(AppConfig):
    """Objectives, error budgets, and whom to tell when one burns."""

    name = "monitoring.alerts"
    label = "alerts"
