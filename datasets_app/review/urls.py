from __future__ import annotations

from django.urls import path

from datasets_app.review.views.changes import change_labels, move_decisions, move_queue
from datasets_app.review.views.checks import accept_check, drop_check, start_check
from datasets_app.review.views.review import adjudicate, return_item, review, undo_decision

app_name = "review"
urlpatterns = [
    path("datasets/<uuid:uuid>/schema/change/", change_labels, name="change_labels"),
    path("datasets/<uuid:uuid>/schema/move/", move_decisions, name="move_decisions"),
    path("<uuid:uuid>/move/", move_queue, name="move_queue"),
    path("<uuid:uuid>/check/", start_check, name="start_check"),
    path("checks/<uuid:uuid>/accept/", accept_check, name="accept_check"),
    path("checks/<uuid:uuid>/discard/", drop_check, name="drop_check"),
    path("<uuid:uuid>/review/", review, name="review"),
    path("<uuid:uuid>/adjudicate/", adjudicate, name="adjudicate"),
    path("<uuid:uuid>/return/", return_item, name="return_item"),
    path("<uuid:uuid>/undo-decision/", undo_decision, name="undo_decision"),
]
