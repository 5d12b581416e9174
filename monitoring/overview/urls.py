"""Addresses of the dashboard."""

from __future__ import annotations

from django.urls import path

from monitoring.overview import views

app_name = "overview"
urlpatterns = [path("", views.dashboard, name="dashboard")]
