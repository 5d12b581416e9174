from django.apps import AppConfig


class RolloutsConfig(AppConfig):
    """A canary's steps, and the rule that widens it or takes it back."""

    name = "monitoring.rollouts"
    label = "rollouts"
