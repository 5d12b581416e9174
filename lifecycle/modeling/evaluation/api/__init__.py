"""Evaluations over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from lifecycle.modeling.evaluation.api import analyses, comparisons, evaluations, responses, suggesting

urlpatterns = [
    *evaluations.urlpatterns,
    *comparisons.urlpatterns,
    *analyses.urlpatterns,
    *responses.urlpatterns,
    *suggesting.urlpatterns,
]
