from django.apps import AppConfig


class SnapshotsConfig(AppConfig):
    """Frozen versions of datasets: what a model was trained and tested on."""

    name = "datasets_app.snapshots"
    label = "snapshots"

    def ready(self) -> None:
        """Bring our kinds of work and our place in the navigation."""
        from datasets_app.snapshots import bindings

        bindings.register()
