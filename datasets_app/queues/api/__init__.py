"""The room over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from datasets_app.queues.api import comments, queues, work

urlpatterns = [
    *comments.urlpatterns,
    *queues.urlpatterns,
    *work.urlpatterns,
]
