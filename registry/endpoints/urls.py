"""Addresses of endpoints."""

from __future__ import annotations

from django.urls import path

from registry.endpoints import views

app_name = "endpoints"
urlpatterns = [
    path("", views.endpoints, name="list"),
    path("<uuid:uuid>/", views.detail, name="detail"),
    path("<uuid:uuid>/servers/", views.servers, name="servers"),
    path("<uuid:uuid>/deploy/", views.deploy, name="deploy"),
    path("<uuid:uuid>/roll-back/", views.roll_back, name="roll_back"),
    path("<uuid:uuid>/shadow/", views.shadow, name="shadow"),
    path("<uuid:uuid>/drill/", views.drill, name="drill"),
    path("<uuid:uuid>/try/", views.try_it, name="try"),
    path("<uuid:uuid>/tokens/", views.tokens, name="tokens"),
    path("<uuid:uuid>/tokens/create/", views.create_token, name="create_token"),
    path("tokens/<uuid:uuid>/revoke/", views.revoke_token, name="revoke_token"),
    path("deployments/<uuid:uuid>/", views.deployment, name="deployment"),
    path("deployments/<uuid:uuid>/stop-canary/", views.stop_canary, name="stop_canary"),
    path("deployments/<uuid:uuid>/stop-shadow/", views.stop_shadow, name="stop_shadow"),
    path("deployments/<uuid:uuid>/remove-fault/", views.remove_fault, name="remove_fault"),
    path("versions/<uuid:uuid>/", views.of_version, name="of_version"),
]
