"""Addresses of background work."""

from __future__ import annotations

from django.urls import path

from lifecycle.ground.jobs import views

app_name = "jobs"
urlpatterns = [
    path("", views.jobs, name="list"),
    path("<uuid:uuid>/", views.progress, name="progress"),
    path("<uuid:uuid>/cancel/", views.cancel, name="cancel"),
    path("<uuid:uuid>/priority/", views.priority, name="priority"),
]
