"""Addresses of scans and findings."""

from django.urls import path

from datasets_app.scanning import views

app_name = "scanning"
urlpatterns = [
    path("", views.scanned, name="list"),
    path("dataset/<uuid:uuid>/", views.dataset, name="dataset"),
    path("dataset/<uuid:uuid>/scan/", views.scan, name="scan"),
    path("dataset/<uuid:uuid>/send/", views.send, name="send"),
    path("items/<uuid:uuid>/", views.item, name="item"),
    path("<uuid:uuid>/", views.finding, name="finding"),
    path("<uuid:uuid>/confirm/", views.confirm, name="confirm"),
    path("<uuid:uuid>/dismiss/", views.dismiss, name="dismiss"),
    path("<uuid:uuid>/reopen/", views.reopen, name="reopen"),
]
