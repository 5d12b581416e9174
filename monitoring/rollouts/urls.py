"""Addresses of rollouts."""

from __future__ import annotations

from django.urls import URLPattern

app_name = "rollouts"
urlpatterns: list[URLPattern] = []
