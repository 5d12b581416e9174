"""Addresses of drift."""

from __future__ import annotations

from django.urls import URLPattern

app_name = "drift"
urlpatterns: list[URLPattern] = []
