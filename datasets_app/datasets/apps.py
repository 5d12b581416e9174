from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    """Datasets, their uploads and items: where every text came from."""

    name = "datasets_app.datasets"
    label = "datasets"

    def ready(self) -> None:
        """Bring our kinds of work and our place in the navigation."""
        from datasets_app.datasets import bindings

        bindings.register()
