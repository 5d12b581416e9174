"""Stopping an upload at the size limit while it arrives, before it fills the disk."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.forms import Form
from django.http import HttpRequest


class LimitHandler(FileUploadHandler):
    """Stop an upload over the limit and set `request.upload_too_large`."""

    def __init__(self, request: HttpRequest, limit: int) -> None:
        super().__init__(request)
        self._limit, self._size = limit, 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """Pass the bytes on to the next handler."""
        self._size += len(raw_data)
        if self._size > self._limit:
            self.request.upload_too_large = True  # type: ignore[union-attr]
            raise StopUpload(connection_reset=True)
        return raw_data

    def file_complete(self, file_size: int) -> Any:
        """Another handler keeps the file."""
        return None


def report_too_large(form: Form, request: HttpRequest) -> None:
    """Report a file that a LimitHandler stopped as too large, the only error of its field: it was chosen, so
    it isn't missing.
    """
    if getattr(request, "upload_too_large", False):
        form.errors.pop("file", None)
        form.add_error(
            "file", f"The file is larger than {settings.UPLOAD_MAX_BYTES // 1024**2:,} MB. Split it."
        )
