"""The room over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from datasets_app.quality.api import gold, quality

urlpatterns = [
    *gold.urlpatterns,
    *quality.urlpatterns,
]
