"""Storage of static files after `collectstatic`: with hashed names, and compressed."""

from __future__ import annotations

from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage


class Storage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Gzip alone: Brotli's best level takes over a minute for the chart library, and people wait for the
    first start.
    """

    def create_compressor(self, **options: Any) -> Any:
        """The compressor that collectstatic uses."""
        return super().create_compressor(use_brotli=False, **options)
