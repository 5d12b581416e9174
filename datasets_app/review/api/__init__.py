"""The room over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from datasets_app.review.api import changes, checks, review

urlpatterns = [
    *changes.urlpatterns,
    *checks.urlpatterns,
    *review.urlpatterns,
]
