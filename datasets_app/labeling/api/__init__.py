"""Labeling over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from datasets_app.labeling.api import (
    changes,
    checks,
    comments,
    corrections,
    exports,
    gold,
    learning,
    proposals,
    quality,
    queues,
    review,
    rules,
    schemas,
    suggestions,
    work,
)

urlpatterns = [
    *schemas.urlpatterns,
    *queues.urlpatterns,
    *work.urlpatterns,
    *review.urlpatterns,
    *checks.urlpatterns,
    *quality.urlpatterns,
    *gold.urlpatterns,
    *rules.urlpatterns,
    *changes.urlpatterns,
    *corrections.urlpatterns,
    *comments.urlpatterns,
    *proposals.urlpatterns,
    *learning.urlpatterns,
    *exports.urlpatterns,
    *suggestions.urlpatterns,
]
