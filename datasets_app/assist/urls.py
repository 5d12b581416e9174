from __future__ import annotations

from django.urls import path

from datasets_app.assist.views.learning import learn, queue_learning
from datasets_app.assist.views.suggesting import (
    apply_rules,
    preview_rule,
    retire_rule,
    rule,
    rules,
    write_rule,
)

app_name = "assist"
urlpatterns = [
    path("datasets/<uuid:uuid>/functions/", rules, name="rules"),
    path("datasets/<uuid:uuid>/functions/new/", write_rule, name="write_rule"),
    path("datasets/<uuid:uuid>/functions/preview/", preview_rule, name="preview_rule"),
    path("datasets/<uuid:uuid>/functions/apply/", apply_rules, name="apply_rules"),
    path("functions/<uuid:uuid>/", rule, name="rule"),
    path("functions/<uuid:uuid>/retire/", retire_rule, name="retire_rule"),
    path("<uuid:uuid>/built-in-model/", queue_learning, name="learning"),
    path("<uuid:uuid>/built-in-model/train/", learn, name="learn"),
]
