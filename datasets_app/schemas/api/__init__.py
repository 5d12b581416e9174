"""Label schemas over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from datasets_app.schemas.api import proposals, schemas

urlpatterns = [
    *proposals.urlpatterns,
    *schemas.urlpatterns,
]
