from django.apps import AppConfig


class HomeConfig(AppConfig):
    """Where people land, what finds things, and what says that the site is well."""

    name = "lifecycle.roof.home"
    label = "home"

    def ready(self) -> None:
        """Bring the pages that belong to no one else."""
        from lifecycle.ui import palette

        palette.register_page("Home", "home:home", keywords="start waiting")
        palette.register_page("Statistical methods", "home:statistics", keywords="statistics intervals confidence p-value")
        palette.register_page("Style guide", "home:styleguide", keywords="components design")
