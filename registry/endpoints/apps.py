from django.apps import AppConfig


class EndpointsConfig(AppConfig):
    """Which version serves: deployments, rollback, the routes document."""

    name = "registry.endpoints"
    label = "endpoints"
