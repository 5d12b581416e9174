from django.apps import AppConfig


class SchemasConfig(AppConfig):
    """What an annotation may say: label schemas with their versions, guidelines, and proposals to change them."""

    name = "datasets_app.schemas"
    label = "schemas"
