from django.apps import AppConfig


class OverviewConfig(AppConfig):
    """The whole of it on one page, for those who lead."""

    name = "monitoring.overview"
    label = "overview"
