"""Addresses of drift."""

from __future__ import annotations

from django.urls import path

from monitoring.drift import views

app_name = "drift"
urlpatterns = [
    path("", views.endpoints, name="list"),
    path("endpoints/<uuid:uuid>/", views.endpoint, name="endpoint"),
    path("endpoints/<uuid:uuid>/panel/", views.panel, name="panel"),
    path("endpoints/<uuid:uuid>/texts/", views.behind, name="behind"),
    path("endpoints/<uuid:uuid>/measure/", views.measure, name="measure"),
]
