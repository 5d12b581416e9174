"""The room over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from datasets_app.assist.api import learning, rules

urlpatterns = [
    *learning.urlpatterns,
    *rules.urlpatterns,
]
