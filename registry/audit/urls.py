from django.urls import path

from registry.audit import views

app_name = "audit"
urlpatterns = [
    path("", views.events, name="events"),
    path("export/", views.export, name="export"),
    path("verify/", views.verify, name="verify"),
    path("events/<slug:digest>/", views.event, name="event"),
]
