"""Addresses of notices."""

from __future__ import annotations

from django.urls import path

from lifecycle.ground.notices import views

app_name = "notices"
urlpatterns = [
    path("", views.notices, name="list"),
    path("unread/", views.unread, name="unread"),
    path("read/", views.read_all, name="read_all"),
    path("<uuid:uuid>/read/", views.read, name="read"),
]
