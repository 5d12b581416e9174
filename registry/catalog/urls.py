"""Addresses of the catalog."""

from __future__ import annotations

from django.urls import path

from registry.catalog import views

app_name = "catalog"
urlpatterns = [
    path("", views.models, name="list"),
    path("new/", views.new_model, name="new"),
    path("<uuid:uuid>/", views.model, name="model"),
    path("runs/<uuid:uuid>/register/", views.register_run, name="register_run"),
    path("<uuid:uuid>/register/", views.register, name="register"),
    path("<uuid:uuid>/endpoints/new/", views.new_endpoint, name="new_endpoint"),
    path("versions/<uuid:uuid>/", views.version, name="version"),
    path("versions/<uuid:uuid>/card/", views.edit_card, name="edit_card"),
    path("versions/<uuid:uuid>/verify/", views.verify, name="verify"),
    path("versions/<uuid:uuid>/quarantine/", views.quarantine, name="quarantine"),
    path("versions/<uuid:uuid>/export/", views.export, name="export"),
    path("endpoints/<uuid:uuid>/freeze/", views.freeze, name="freeze"),
    path("freezes/<uuid:uuid>/lift/", views.lift_freeze, name="lift_freeze"),
]
