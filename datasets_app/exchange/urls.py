from __future__ import annotations

from django.urls import path

from datasets_app.exchange.views.corrections import (
    accept_corrections,
    correction,
    corrections,
    discard_corrections,
    upload_corrections,
)
from datasets_app.exchange.views.exports import download, exports, queue_exports, upload_queue

app_name = "exchange"
urlpatterns = [
    path("datasets/<uuid:uuid>/exports/", exports, name="exports"),
    path("exports/<uuid:uuid>/", download, name="download"),
    path("uploads/<uuid:uuid>/", upload_queue, name="upload_queue"),
    path("datasets/<uuid:uuid>/corrections/", corrections, name="corrections"),
    path("datasets/<uuid:uuid>/corrections/upload/", upload_corrections, name="upload_corrections"),
    path("corrections/<uuid:uuid>/", correction, name="correction"),
    path("corrections/<uuid:uuid>/accept/", accept_corrections, name="accept_corrections"),
    path("corrections/<uuid:uuid>/discard/", discard_corrections, name="discard_corrections"),
    path("<uuid:uuid>/exports/", queue_exports, name="queue_exports"),
]
