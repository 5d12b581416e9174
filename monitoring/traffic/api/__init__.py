"""Traffic over REST: figures and predictions to read, feedback and outcomes to give."""

from __future__ import annotations

from django.urls import path

from monitoring.traffic.api import kpis, predictions, series
from registry.ground.access.rest import methods

urlpatterns = [
    path("endpoints/<uuid:uuid>/predictions/", predictions.predictions, name="api-predictions"),
    path("endpoints/<uuid:uuid>/series/", series.series, name="api-series"),
    path("endpoints/<uuid:uuid>/kpis/", methods(kpis.kpis, kpis.define_kpi), name="api-kpis"),
    path("kpis/<uuid:uuid>/", kpis.one_kpi, name="api-kpi"),
    path("kpis/<uuid:uuid>/outcomes/", kpis.record_outcomes, name="api-outcomes"),
    path("predictions/<uuid:uuid>/", predictions.one_prediction, name="api-prediction"),
    path("predictions/<uuid:uuid>/feedback/", predictions.give_feedback, name="api-prediction-feedback"),
    path("feedback/", predictions.feedback_batch, name="api-feedback"),
]
