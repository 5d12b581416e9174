"""Labeling over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from datasets_app.labeling.api import changes, exports, quality, queues, review, rules, schemas, work

urlpatterns = [
    *schemas.urlpatterns,
    *queues.urlpatterns,
    *work.urlpatterns,
    *review.urlpatterns,
    *quality.urlpatterns,
    *rules.urlpatterns,
    *changes.urlpatterns,
    *exports.urlpatterns,
]
