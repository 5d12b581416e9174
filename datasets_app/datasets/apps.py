from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    """Datasets, their uploads and items: where every text came from."""

    name = "datasets_app.datasets"
    label = "datasets"
