from __future__ import annotations

from django.urls import path

from datasets_app.quality.views.gold import gold, gold_item, mix_gold, reinstate, retire_gold, sample_gold
from datasets_app.quality.views.quality import measure, quality, quality_items

app_name = "quality"
urlpatterns = [
    path("datasets/<uuid:uuid>/gold/", gold, name="gold"),
    path("datasets/<uuid:uuid>/gold/sample/", sample_gold, name="sample_gold"),
    path("items/<uuid:uuid>/gold/", gold_item, name="gold_item"),
    path("items/<uuid:uuid>/gold/retire/", retire_gold, name="retire_gold"),
    path("<uuid:uuid>/gold/", mix_gold, name="mix_gold"),
    path("<uuid:uuid>/annotators/reinstate/", reinstate, name="reinstate"),
    path("<uuid:uuid>/quality/", quality, name="quality"),
    path("<uuid:uuid>/quality/measure/", measure, name="measure"),
    path("<uuid:uuid>/quality/items/", quality_items, name="quality_items"),
]
