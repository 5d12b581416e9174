from django.apps import AppConfig


class NoticesConfig(AppConfig):
    """The outbox that upper rooms read, and people's notices."""

    name = "lifecycle.ground.notices"
    label = "notices"

    def ready(self) -> None:
        """Let the palette find the page."""
        from lifecycle.ui import palette

        palette.register_page("Notices", "notices:list", keywords="bell notifications unread")
