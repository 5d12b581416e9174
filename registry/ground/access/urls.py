from django.urls import path

from registry.ground.access import views

app_name = "access"
urlpatterns = [
    path("profile/", views.profile, name="profile"),
    path("theme/", views.theme, name="theme"),
    path("tokens/", views.tokens, name="tokens"),
    path("tokens/create/", views.create_token, name="create_token"),
    path("tokens/<uuid:uuid>/revoke/", views.revoke_token, name="revoke_token"),
    path("projects/", views.projects, name="projects"),
    path("projects/create/", views.create_project, name="create_project"),
    path("projects/<uuid:uuid>/", views.project, name="project"),
    path("projects/<uuid:uuid>/grant/", views.grant, name="grant"),
    path("projects/<uuid:uuid>/revoke/", views.revoke, name="revoke"),
    path("people/", views.people, name="people"),
    path("people/admins/", views.change_admin, name="change_admin"),
    path("proposals/<uuid:uuid>/confirm/", views.confirm, name="confirm"),
    path("proposals/<uuid:uuid>/end/", views.end, name="end"),
    path("people/<uuid:uuid>/deactivate/", views.deactivate, name="deactivate"),
]
