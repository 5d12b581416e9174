from __future__ import annotations

from django.urls import path

from datasets_app.labeling import views

app_name = "labeling"
urlpatterns = [
    path("", views.queue_list, name="list"),
    path("datasets/<uuid:uuid>/open/", views.open_queue, name="open"),
    path("datasets/<uuid:uuid>/schema/", views.schema, name="schema"),
    path("datasets/<uuid:uuid>/schema/<int:version>/", views.schema_version, name="schema_version"),
    path("datasets/<uuid:uuid>/schema/change/", views.change_classes, name="change_classes"),
    path("datasets/<uuid:uuid>/schema/move/", views.move_decisions, name="move_decisions"),
    path("datasets/<uuid:uuid>/exports/", views.exports, name="exports"),
    path("exports/<uuid:uuid>/", views.download, name="download"),
    path("uploads/<uuid:uuid>/", views.brought, name="brought"),
    path("datasets/<uuid:uuid>/rules/", views.rules, name="rules"),
    path("datasets/<uuid:uuid>/rules/new/", views.write_rule, name="write_rule"),
    path("datasets/<uuid:uuid>/rules/preview/", views.preview_rule, name="preview_rule"),
    path("datasets/<uuid:uuid>/rules/apply/", views.apply_rules, name="apply_rules"),
    path("rules/<uuid:uuid>/", views.rule, name="rule"),
    path("rules/<uuid:uuid>/retire/", views.retire_rule, name="retire_rule"),
    path("<uuid:uuid>/", views.queue_page, name="queue"),
    path("<uuid:uuid>/exports/", views.queue_exports, name="queue_exports"),
    path("<uuid:uuid>/pause/", views.pause, name="pause"),
    path("<uuid:uuid>/resume/", views.resume, name="resume"),
    path("<uuid:uuid>/reorder/", views.reorder, name="reorder"),
    path("<uuid:uuid>/move/", views.move_queue, name="move_queue"),
    path("<uuid:uuid>/close/", views.close, name="close"),
    path("<uuid:uuid>/bench/", views.bench, name="bench"),
    path("<uuid:uuid>/submit/", views.submit, name="submit"),
    path("<uuid:uuid>/skip/", views.skip, name="skip"),
    path("<uuid:uuid>/undo/", views.undo, name="undo"),
    path("<uuid:uuid>/heartbeat/", views.heartbeat, name="heartbeat"),
    path("<uuid:uuid>/release/", views.release, name="release"),
    path("<uuid:uuid>/flag/", views.flag, name="flag"),
    path("<uuid:uuid>/comment/", views.comment, name="comment"),
    path("<uuid:uuid>/review/", views.review, name="review"),
    path("<uuid:uuid>/decide/", views.decide, name="decide"),
    path("<uuid:uuid>/return/", views.return_item, name="return_item"),
    path("<uuid:uuid>/quality/", views.quality, name="quality"),
    path("<uuid:uuid>/quality/measure/", views.measure, name="measure"),
    path("<uuid:uuid>/quality/items/", views.quality_items, name="quality_items"),
    path("<uuid:uuid>/undo-decision/", views.undo_decision, name="undo_decision"),
]
