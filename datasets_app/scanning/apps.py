from django.apps import AppConfig


class ScanningConfig(AppConfig):
    """What is doubtful in a dataset, found by scans and judged by people."""

    name = "datasets_app.scanning"
    label = "scanning"

    def ready(self) -> None:
        """Register job types and the navigation entry."""
        from datasets_app.scanning import bindings

        bindings.register()
