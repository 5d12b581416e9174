"""Addresses of traffic."""

from __future__ import annotations

from django.urls import path

from monitoring.traffic import views

app_name = "traffic"
urlpatterns = [
    path("endpoints/<uuid:uuid>/", views.endpoint, name="endpoint"),
    path("endpoints/<uuid:uuid>/recent/", views.recent, name="recent"),
    path("endpoints/<uuid:uuid>/shadow/", views.shadow, name="shadow"),
    path("endpoints/<uuid:uuid>/kpis/", views.kpis, name="kpis"),
    path("endpoints/<uuid:uuid>/kpis/define/", views.define_kpi, name="define_kpi"),
    path("kpis/<uuid:uuid>/", views.kpi, name="kpi"),
    path("kpis/<uuid:uuid>/outcomes/", views.record_outcomes, name="record_outcomes"),
    path("predictions/<uuid:uuid>/", views.prediction, name="prediction"),
    path("predictions/<uuid:uuid>/feedback/", views.feedback, name="feedback"),
]
