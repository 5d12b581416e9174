"""Addresses of alerts."""

from __future__ import annotations

from django.urls import path

from monitoring.alerts import views

app_name = "alerts"
urlpatterns = [
    path("", views.alerts, name="list"),
    path("suppressed/", views.suppressed, name="suppressed"),
    path("silences/", views.silences, name="silences"),
    path("silences/<uuid:uuid>/end/", views.end_silence, name="end_silence"),
    path("channels/", views.channels, name="channels"),
    path("channels/<uuid:uuid>/switch/", views.switch_channel, name="switch_channel"),
    path("channels/<uuid:uuid>/test/", views.test_channel, name="test_channel"),
    path("channels/<uuid:uuid>/secret/", views.new_secret, name="new_secret"),
    path("endpoints/<uuid:uuid>/", views.endpoint, name="endpoint"),
    path("endpoints/<uuid:uuid>/panel/", views.panel, name="panel"),
    path("endpoints/<uuid:uuid>/objectives/<slug:kind>/", views.set_objective, name="set_objective"),
    path("objectives/<uuid:uuid>/switch/", views.switch_objective, name="switch_objective"),
    path("<uuid:uuid>/", views.detail, name="detail"),
    path("<uuid:uuid>/acknowledge/", views.acknowledge, name="acknowledge"),
    path("<uuid:uuid>/resolve/", views.resolve, name="resolve"),
]
