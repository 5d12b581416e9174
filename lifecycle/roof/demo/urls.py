from django.urls import path

from lifecycle.roof.demo import views

app_name = "demo"
urlpatterns = [
    path("sign-in/", views.sign_in, name="sign_in"),
    path("start/<str:token>/", views.begin, name="start"),
]
