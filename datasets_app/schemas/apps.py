from django.apps import AppConfig


class SchemasConfig(AppConfig):
    """Label schemas with their versions, guidelines, and proposals to change them."""

    name = "datasets_app.schemas"
    label = "schemas"
