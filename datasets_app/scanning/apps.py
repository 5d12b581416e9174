from django.apps import AppConfig


class ScanningConfig(AppConfig):
    """What is doubtful in a dataset, found by scans and judged by people."""

    name = "datasets_app.scanning"
    label = "scanning"

    def ready(self) -> None:
        """Bring our kinds of work and our place in the navigation."""
        from datasets_app.scanning import bindings

        bindings.register()
