"""URLs of runs, sweeps, and base models."""

from __future__ import annotations

from django.urls import path

from lifecycle.modeling.training import estimate_views, sweep_views, views

app_name = "training"
urlpatterns = [
    path("", views.runs, name="list"),
    path("launch/", views.launch, name="launch"),
    path("estimates/", estimate_views.estimate, name="estimate"),
    path("estimates/<uuid:uuid>/", estimate_views.tried, name="tried"),
    path("estimates/<uuid:uuid>/cancel/", estimate_views.cancel_estimate, name="cancel_estimate"),
    path("overlay/", views.overlay, name="overlay"),
    path("sweeps/", sweep_views.sweeps, name="sweeps"),
    path("sweeps/new/", sweep_views.new_sweep, name="new_sweep"),
    path("sweeps/<uuid:uuid>/", sweep_views.sweep, name="sweep"),
    path("sweeps/<uuid:uuid>/live/", sweep_views.live_sweep, name="live_sweep"),
    path("sweeps/<uuid:uuid>/cancel/", sweep_views.cancel_sweep, name="cancel_sweep"),
    path("bases/", views.bases, name="bases"),
    path("bases/<uuid:uuid>/package/", views.add_packaged, name="add_packaged"),
    path("bases/<uuid:uuid>/folder/", views.add_folder, name="add_folder"),
    path("bases/<uuid:uuid>/hub/", views.add_hub, name="add_hub"),
    path("<uuid:uuid>/", views.run, name="detail"),
    path("<uuid:uuid>/live/", views.live, name="live"),
    path("<uuid:uuid>/points/", views.points, name="points"),
    path("<uuid:uuid>/priority/", views.prioritise, name="prioritise"),
    path("<uuid:uuid>/pause/", views.pause, name="pause"),
    path("<uuid:uuid>/stop/", views.stop, name="stop"),
    path("<uuid:uuid>/resume/", views.resume, name="resume"),
    path("<uuid:uuid>/manifest/", views.manifest, name="manifest"),
    path("<uuid:uuid>/reproduce/", views.reproduce, name="reproduce"),
    path("<uuid:uuid>/train-on/", views.train_on, name="train_on"),
]
