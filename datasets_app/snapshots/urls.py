"""URLs of dataset versions."""

from django.urls import path

from datasets_app.snapshots import views

app_name = "snapshots"
urlpatterns = [
    path("", views.snapshots, name="list"),
    path("dataset/<uuid:uuid>/", views.dataset, name="dataset"),
    path("dataset/<uuid:uuid>/create/", views.freeze, name="freeze"),
    path("<uuid:uuid>/", views.detail, name="detail"),
    path("<uuid:uuid>/export/", views.export, name="export"),
    path("exports/<uuid:uuid>/", views.download, name="download"),
]
