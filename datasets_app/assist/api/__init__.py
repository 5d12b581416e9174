"""The room over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from datasets_app.assist.api import functions, learning

urlpatterns = [
    *learning.urlpatterns,
    *functions.urlpatterns,
]
