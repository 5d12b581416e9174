from django.apps import AppConfig


class HomeConfig(AppConfig):
    """The home page, the palette, and the health probes."""

    name = "lifecycle.roof.home"
    label = "home"

    def ready(self) -> None:
        """Register the pages that belong to no other room."""
        from lifecycle.ui import palette

        palette.register_page("Home", "home:home", keywords="start waiting")
        palette.register_page(
            "Statistical methods", "home:statistics", keywords="statistics intervals confidence p-value"
        )
        palette.register_page("Style guide", "home:styleguide", keywords="components design")
