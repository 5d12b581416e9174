"""Addresses of policies."""

from __future__ import annotations

from django.urls import path

from registry.policies import views

app_name = "policies"
urlpatterns = [
    path("", views.policies, name="list"),
    path("<uuid:uuid>/", views.detail, name="detail"),
]
