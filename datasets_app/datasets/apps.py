from django.apps import AppConfig
from django.db.models.signals import post_migrate


class DatasetsConfig(AppConfig):
    """Datasets, their uploads and items, with the source of every text."""

    name = "datasets_app.datasets"
    label = "datasets"

    def ready(self) -> None:
        """Register job types, the navigation entry, and the triggers of the table of words."""
        from datasets_app.datasets import bindings, words

        bindings.register()
        post_migrate.connect(words.keep_words, sender=self, dispatch_uid="datasets.keep_words")
