"""Alerts over REST: the same actions and refusals as the pages."""

from __future__ import annotations

from django.urls import path

from monitoring.alerts.api import alerts, channels, objectives, silences

urlpatterns = [
    path("alerts/", alerts.Alerts.as_view(), name="api-alerts"),
    path("alerts/suppressed/", alerts.Suppressed.as_view(), name="api-alerts-suppressed"),
    path("alerts/<uuid:uuid>/", alerts.OneAlert.as_view(), name="api-alert"),
    path("alerts/<uuid:uuid>/acknowledge/", alerts.Acknowledge.as_view(), name="api-alert-acknowledge"),
    path("alerts/<uuid:uuid>/resolve/", alerts.Resolve.as_view(), name="api-alert-resolve"),
    path("endpoints/<uuid:uuid>/objectives/", objectives.Objectives.as_view(), name="api-objectives"),
    path("objectives/<uuid:uuid>/switch/", objectives.SwitchObjective.as_view(), name="api-objective-switch"),
    path("silences/", silences.Silences.as_view(), name="api-silences"),
    path("silences/<uuid:uuid>/end/", silences.EndSilence.as_view(), name="api-silence-end"),
    path("channels/", channels.Channels.as_view(), name="api-channels"),
    path("channels/<uuid:uuid>/change/", channels.SwitchChannel.as_view(), name="api-channel-change"),
    path("channels/<uuid:uuid>/secret/", channels.NewSecret.as_view(), name="api-channel-secret"),
    path("channels/<uuid:uuid>/test/", channels.TestChannel.as_view(), name="api-channel-test"),
]
