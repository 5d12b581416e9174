from django.apps import AppConfig


class ScanningConfig(AppConfig):
    """Likely problems of a dataset, found by scans and reviewed by people."""

    name = "datasets_app.scanning"
    label = "scanning"

    def ready(self) -> None:
        """Register job types and the navigation entry."""
        from datasets_app.scanning import bindings

        bindings.register()
