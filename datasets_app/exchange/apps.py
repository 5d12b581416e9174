from django.apps import AppConfig


class ExchangeConfig(AppConfig):
    """Labels as files: imports, corrections, and exports."""

    name = "datasets_app.exchange"
    label = "exchange"

    def ready(self) -> None:
        """Register this app with the lower-level apps."""
        from datasets_app.exchange import bindings

        bindings.bind()
