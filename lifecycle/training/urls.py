"""Addresses of runs and base models."""

from __future__ import annotations

from django.urls import path

from lifecycle.training import views

app_name = "training"
urlpatterns = [
    path("", views.runs, name="list"),
    path("launch/", views.launch, name="launch"),
    path("overlay/", views.overlay, name="overlay"),
    path("bases/", views.bases, name="bases"),
    path("bases/<uuid:uuid>/package/", views.add_packaged, name="add_packaged"),
    path("bases/<uuid:uuid>/folder/", views.add_folder, name="add_folder"),
    path("bases/<uuid:uuid>/hub/", views.add_hub, name="add_hub"),
    path("<uuid:uuid>/", views.run, name="detail"),
    path("<uuid:uuid>/live/", views.live, name="live"),
    path("<uuid:uuid>/points/", views.points, name="points"),
    path("<uuid:uuid>/pause/", views.pause, name="pause"),
    path("<uuid:uuid>/stop/", views.stop, name="stop"),
    path("<uuid:uuid>/resume/", views.resume, name="resume"),
    path("<uuid:uuid>/manifest/", views.manifest, name="manifest"),
    path("<uuid:uuid>/reproduce/", views.reproduce, name="reproduce"),
]
