from django.apps import AppConfig


class UiConfig(AppConfig):
    """The looks: shell, components, template tags, form rendering, the navigation and palette registries. No
    models, no views.
    """

    name = "lifecycle.ui"
    label = "ui"
