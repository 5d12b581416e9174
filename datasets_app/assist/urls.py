from __future__ import annotations

from django.urls import path

from datasets_app.assist.views.learning import learn, queue_learning
from datasets_app.assist.views.suggesting import (
    apply_functions,
    function,
    functions,
    preview_function,
    retire_function,
    write_function,
)

app_name = "assist"
urlpatterns = [
    path("datasets/<uuid:uuid>/functions/", functions, name="functions"),
    path("datasets/<uuid:uuid>/functions/new/", write_function, name="write_function"),
    path("datasets/<uuid:uuid>/functions/preview/", preview_function, name="preview_function"),
    path("datasets/<uuid:uuid>/functions/apply/", apply_functions, name="apply_functions"),
    path("functions/<uuid:uuid>/", function, name="function"),
    path("functions/<uuid:uuid>/retire/", retire_function, name="retire_function"),
    path("<uuid:uuid>/built-in-model/", queue_learning, name="learning"),
    path("<uuid:uuid>/built-in-model/train/", learn, name="learn"),
]
