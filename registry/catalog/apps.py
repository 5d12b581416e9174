from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """Registered models, their sealed versions, endpoints and aliases."""

    name = "registry.catalog"
    label = "catalog"
