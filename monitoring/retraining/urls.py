"""Addresses of retraining."""

from __future__ import annotations

from django.urls import URLPattern

app_name = "retraining"
urlpatterns: list[URLPattern] = []
