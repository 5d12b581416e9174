from django.apps import AppConfig


class NoticesConfig(AppConfig):
    """The outbox that upper rooms read, and what people are told."""

    name = "lifecycle.notices"
    label = "notices"
