from django.apps import AppConfig


class SnapshotsConfig(AppConfig):
    """Frozen versions of datasets: what a model was trained and tested on."""

    name = "datasets_app.snapshots"
    label = "snapshots"

    def ready(self) -> None:
        """Register job types and the navigation entry."""
        from datasets_app.snapshots import bindings

        bindings.register()
