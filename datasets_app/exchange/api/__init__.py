"""The room over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from datasets_app.exchange.api import corrections, exports

urlpatterns = [
    *corrections.urlpatterns,
    *exports.urlpatterns,
]
