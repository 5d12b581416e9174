"""Alerts over REST: the same actions and refusals as the pages."""

from __future__ import annotations

from django.urls import path

from monitoring.alerts.api import alerts, channels, objectives, silences
from registry.ground.access.rest import methods

urlpatterns = [
    path("alerts/", alerts.alerts, name="api-alerts"),
    path("alerts/suppressed/", alerts.suppressed, name="api-alerts-suppressed"),
    path("alerts/<uuid:uuid>/", alerts.one_alert, name="api-alert"),
    path("alerts/<uuid:uuid>/acknowledge/", alerts.acknowledge, name="api-alert-acknowledge"),
    path("alerts/<uuid:uuid>/resolve/", alerts.resolve, name="api-alert-resolve"),
    path(
        "endpoints/<uuid:uuid>/objectives/",
        methods(objectives.objectives, objectives.set_objective),
        name="api-objectives",
    ),
    path("objectives/<uuid:uuid>/switch/", objectives.switch_objective, name="api-objective-switch"),
    path("silences/", methods(silences.silences, silences.silence), name="api-silences"),
    path("silences/<uuid:uuid>/end/", silences.end_silence, name="api-silence-end"),
    path("channels/", methods(channels.channels, channels.add_channel), name="api-channels"),
    path("channels/<uuid:uuid>/change/", channels.switch_channel, name="api-channel-change"),
    path("channels/<uuid:uuid>/secret/", channels.new_secret, name="api-channel-secret"),
    path("channels/<uuid:uuid>/test/", channels.test_channel, name="api-channel-test"),
]
