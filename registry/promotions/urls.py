"""Addresses of promotions."""

from __future__ import annotations

from django.urls import path

from registry.promotions import views

app_name = "promotions"
urlpatterns = [
    path("", views.promotions, name="list"),
    path("new/", views.new, name="new"),
    path("version/<uuid:uuid>/", views.of_version, name="of_version"),
    path("<uuid:uuid>/", views.detail, name="detail"),
    path("<uuid:uuid>/approve/", views.approve, name="approve"),
    path("<uuid:uuid>/reject/", views.reject, name="reject"),
    path("<uuid:uuid>/withdraw/", views.withdraw, name="withdraw"),
    path("<uuid:uuid>/check/", views.check, name="check"),
    path("<uuid:uuid>/comment/", views.comment, name="comment"),
]
