from django.apps import AppConfig


class AccessConfig(AppConfig):
    """Who may do what: people, projects, roles, tokens."""

    name = "registry.access"
    label = "access"
