from __future__ import annotations

from uuid import uuid4

from django.db import models


class Blob(models.Model):
    """Some bytes that are kept under their sha256. Never changed; the same bytes are kept once."""

    append_only = True

    digest = models.CharField(max_length=64, unique=True)
    size = models.PositiveBigIntegerField()
    media_type = models.CharField(max_length=100, default="application/octet-stream")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.digest[:12]


class Folder(models.Model):
    """A named set of blobs, such as a model: `files` is its manifest, `root_digest` the digest of that. Never
    changed.
    """

    append_only = True

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    root_digest = models.CharField(max_length=64, unique=True)
    files = models.JSONField(help_text='[{"name", "sha256", "size"}] in order of name')
    size = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.root_digest[:12]
