"""Addresses of rollouts."""

from __future__ import annotations

from django.urls import path

from monitoring.rollouts import views

app_name = "rollouts"
urlpatterns = [
    path("", views.rollouts, name="list"),
    path("endpoints/<uuid:uuid>/", views.panel, name="panel"),
    path("requests/<uuid:uuid>/start/", views.start, name="start"),
    path("<uuid:uuid>/", views.detail, name="detail"),
    path("<uuid:uuid>/live/", views.live, name="live"),
    path("<uuid:uuid>/charts/<slug:name>/", views.chart, name="chart"),
    path("<uuid:uuid>/pause/", views.pause, name="pause"),
    path("<uuid:uuid>/resume/", views.resume, name="resume"),
    path("<uuid:uuid>/widen/", views.widen, name="widen"),
    path("<uuid:uuid>/abort/", views.abort, name="abort"),
]
