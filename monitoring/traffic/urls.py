"""Addresses of traffic."""

from __future__ import annotations

from django.urls import path

from monitoring.traffic import views

app_name = "traffic"
urlpatterns = [
    path("endpoints/<uuid:uuid>/", views.endpoint, name="endpoint"),
    path("endpoints/<uuid:uuid>/recent/", views.recent, name="recent"),
    path("predictions/<uuid:uuid>/", views.prediction, name="prediction"),
    path("predictions/<uuid:uuid>/feedback/", views.feedback, name="feedback"),
]
