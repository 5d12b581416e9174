from django.urls import path

from lifecycle.roof.home import views

app_name = "home"
urlpatterns = [
    path("", views.home, name="home"),
    path("navigation/counts/", views.counts, name="counts"),
    path("find/", views.find, name="palette"),
    path("statistics/", views.statistics, name="statistics"),
    path("styleguide/", views.styleguide, name="styleguide"),
    path("favicon.ico", views.favicon, name="favicon"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.metrics, name="metrics"),
]
