"""URLs of datasets, uploads, items, item exports and slices."""

from django.urls import path

from datasets_app.datasets import views

app_name = "datasets"
urlpatterns = [
    path("", views.datasets, name="list"),
    path("new/", views.create, name="create"),
    path("<uuid:uuid>/", views.dataset, name="dataset"),
    path("<uuid:uuid>/uploads/", views.receive, name="receive"),
    path("uploads/<uuid:uuid>/", views.upload, name="upload"),
    path("uploads/<uuid:uuid>/inspect/", views.inspect, name="inspect"),
    path("uploads/<uuid:uuid>/accept/", views.accept, name="accept"),
    path("uploads/<uuid:uuid>/discard/", views.discard, name="discard"),
    path("items/<uuid:uuid>/", views.item, name="item"),
    path("<uuid:uuid>/exports/", views.exports, name="exports"),
    path("exports/<uuid:uuid>/", views.download, name="download"),
    path("<uuid:uuid>/slices/", views.save_slice, name="save_slice"),
    path("slices/<uuid:uuid>/", views.slice_page, name="slice"),
    path("slices/<uuid:uuid>/change/", views.change_slice, name="change_slice"),
    path("slices/<uuid:uuid>/delete/", views.delete_slice, name="delete_slice"),
    path("slices/<uuid:uuid>/count/", views.count_slice, name="count_slice"),
]
