"""Addresses of retraining."""

from __future__ import annotations

from django.urls import path

from monitoring.retraining import views

app_name = "retraining"
urlpatterns = [
    path("", views.proposals, name="list"),
    path("endpoints/<uuid:uuid>/", views.settings, name="settings"),
    path("endpoints/<uuid:uuid>/set/", views.set_trigger, name="set_trigger"),
    path("endpoints/<uuid:uuid>/propose/", views.propose, name="propose"),
    path("endpoints/<uuid:uuid>/panel/", views.panel, name="panel"),
    path("<uuid:uuid>/", views.detail, name="detail"),
    path("<uuid:uuid>/approve/", views.approve, name="approve"),
    path("<uuid:uuid>/decline/", views.decline, name="decline"),
    path("<uuid:uuid>/collect/", views.collect, name="collect"),
    path("<uuid:uuid>/withdraw/", views.withdraw, name="withdraw"),
    path("<uuid:uuid>/retry/", views.retry, name="retry"),
    path("<uuid:uuid>/override/", views.override, name="override"),
]
