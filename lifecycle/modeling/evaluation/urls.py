"""URLs of evaluations."""

from __future__ import annotations

from django.urls import path

from lifecycle.modeling.evaluation import side_by_side_views, views

app_name = "evaluation"
urlpatterns = [
    path("", views.evaluations, name="list"),
    path("pre-label/<uuid:uuid>/", views.suggest, name="suggest"),
    path("compare/", views.compare, name="compare"),
    path("side-by-side/", side_by_side_views.ask, name="ask_people"),
    path("side-by-side/<uuid:uuid>/", side_by_side_views.side_by_side, name="side_by_side"),
    path("side-by-side/<uuid:uuid>/open/", side_by_side_views.open_queue, name="open_side_by_side"),
    path("run/<uuid:uuid>/", views.of_run, name="of_run"),
    path("run/<uuid:uuid>/evaluate/", views.evaluate, name="evaluate"),
    path("<uuid:uuid>/", views.evaluation, name="detail"),
    path("<uuid:uuid>/items/", views.items, name="items"),
    path(
        "<uuid:uuid>/predictions.parquet", views.predictions, {"form": "parquet"}, name="predictions_parquet"
    ),
    path("<uuid:uuid>/predictions.csv", views.predictions, {"form": "csv"}, name="predictions_csv"),
    path("<uuid:uuid>/predictions/", views.answers, name="answers"),
    path("<uuid:uuid>/slices/", views.slices, name="slices"),
    path("<uuid:uuid>/slices/items/", views.slice_items, name="slice_items"),
    path("<uuid:uuid>/clusters/", views.clusters, name="clusters"),
    path("<uuid:uuid>/membership/", views.membership, name="membership"),
    path("<uuid:uuid>/attribution/", views.words, name="words"),
    path("<uuid:uuid>/analyze/", views.analyse, name="analyse"),
    path("<uuid:uuid>/threshold/", views.threshold, name="threshold"),
    path("<uuid:uuid>/robustness/", views.robustness, name="robustness"),
]
