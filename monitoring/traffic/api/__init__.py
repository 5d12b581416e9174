"""Traffic over REST: figures and predictions to read, feedback and outcomes to give."""

from __future__ import annotations

from django.urls import path

from monitoring.traffic.api import kpis, predictions, series

urlpatterns = [
    path("endpoints/<uuid:uuid>/predictions/", predictions.Predictions.as_view(), name="api-predictions"),
    path("endpoints/<uuid:uuid>/series/", series.Series.as_view(), name="api-series"),
    path("endpoints/<uuid:uuid>/kpis/", kpis.Kpis.as_view(), name="api-kpis"),
    path("kpis/<uuid:uuid>/", kpis.OneKpi.as_view(), name="api-kpi"),
    path("kpis/<uuid:uuid>/outcomes/", kpis.Outcomes.as_view(), name="api-outcomes"),
    path("predictions/<uuid:uuid>/", predictions.OnePrediction.as_view(), name="api-prediction"),
    path("predictions/<uuid:uuid>/feedback/", predictions.GiveFeedback.as_view(), name="api-prediction-feedback"),
    path("feedback/", predictions.FeedbackBatch.as_view(), name="api-feedback"),
]
