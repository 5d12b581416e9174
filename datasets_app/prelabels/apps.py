from django.apps import AppConfig


class PrelabelsConfig(AppConfig):
    """What models, labeling functions, and files suggest."""

    name = "datasets_app.prelabels"
    label = "prelabels"
