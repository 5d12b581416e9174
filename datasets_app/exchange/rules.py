"""The files of other labeling tools."""

from __future__ import annotations

from django.db.models import TextChoices

from lifecycle.runtime.task_types.by_key.formats import formats_of


class ExportFormat(TextChoices):
    """Labeling tools whose formats annotations can be exported in."""

    LABEL_STUDIO = "labelstudio", "Label Studio"
    DOCCANO = "doccano", "doccano"
    PRODIGY = "prodigy", "Prodigy"
    ARGILLA = "argilla", "Argilla"

    @property
    def ending(self) -> str:
        """The file name extension."""
        return {"labelstudio": "zip", "doccano": "zip", "prodigy": "jsonl", "argilla": "json"}[self.value]

    @property
    def media(self) -> str:
        """The media type of its files."""
        return {"zip": "application/zip", "jsonl": "application/x-ndjson", "json": "application/json"}[
            self.ending
        ]


def export_formats(task: str) -> list[ExportFormat]:
    """The formats that can represent a task."""
    return [each for each in ExportFormat if each in formats_of(task).tools]
