from __future__ import annotations

from django.urls import path

from datasets_app.assist.views.learning import learn, queue_learning
from datasets_app.assist.views.suggesting import apply_rules, preview_rule, retire_rule, rule, rules, write_rule

app_name = "assist"
urlpatterns = [
    path("datasets/<uuid:uuid>/rules/", rules, name="rules"),
    path("datasets/<uuid:uuid>/rules/new/", write_rule, name="write_rule"),
    path("datasets/<uuid:uuid>/rules/preview/", preview_rule, name="preview_rule"),
    path("datasets/<uuid:uuid>/rules/apply/", apply_rules, name="apply_rules"),
    path("rules/<uuid:uuid>/", rule, name="rule"),
    path("rules/<uuid:uuid>/retire/", retire_rule, name="retire_rule"),
    path("<uuid:uuid>/learning/", queue_learning, name="learning"),
    path("<uuid:uuid>/learn/", learn, name="learn"),
]
