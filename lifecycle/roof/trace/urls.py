from django.urls import path

from lifecycle.roof.trace import views

app_name = "trace"
urlpatterns = [
    path("predictions/<uuid:uuid>/", views.prediction, name="prediction"),
    path("predictions/<uuid:uuid>/neighbors/", views.neighbours, name="neighbours"),
    path("predictions/<uuid:uuid>/attribution/", views.attribution, name="attribution"),
    path("items/<uuid:uuid>/", views.item, name="item"),
    path("dataset-versions/<uuid:uuid>/", views.snapshot, name="snapshot"),
    path("versions/<uuid:uuid>/", views.version, name="version"),
]
