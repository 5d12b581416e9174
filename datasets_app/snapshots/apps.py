from django.apps import AppConfig


class SnapshotsConfig(AppConfig):
    """Frozen versions of a dataset, split without leakage."""

    name = "datasets_app.snapshots"
    label = "snapshots"
