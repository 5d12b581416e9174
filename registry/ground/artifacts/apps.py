from django.apps import AppConfig


class ArtifactsConfig(AppConfig):
    """Bytes by their digest: uploads, snapshots, models, reports."""

    name = "registry.ground.artifacts"
    label = "artifacts"
