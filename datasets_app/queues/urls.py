from __future__ import annotations

from django.urls import path

from datasets_app.queues.views.bench import bench, flag, heartbeat, release, skip, submit, undo
from datasets_app.queues.views.comments import comment, comments, people, resolve_comment
from datasets_app.queues.views.managing import change_queue, close, pause, prefer, reorder, resume
from datasets_app.queues.views.pages import open_queue, queue_list, queue_page
from datasets_app.queues.views.proposing import know_guideline, propose

app_name = "queues"
urlpatterns = [
    path("", queue_list, name="list"),
    path("datasets/<uuid:uuid>/open/", open_queue, name="open"),
    path("datasets/<uuid:uuid>/propose/", propose, name="propose"),
    path("<uuid:uuid>/", queue_page, name="queue"),
    path("<uuid:uuid>/pause/", pause, name="pause"),
    path("<uuid:uuid>/resume/", resume, name="resume"),
    path("<uuid:uuid>/change/", change_queue, name="change_queue"),
    path("<uuid:uuid>/reorder/", reorder, name="reorder"),
    path("<uuid:uuid>/pre-label-source/", prefer, name="prefer"),
    path("<uuid:uuid>/close/", close, name="close"),
    path("<uuid:uuid>/bench/", bench, name="bench"),
    path("<uuid:uuid>/submit/", submit, name="submit"),
    path("<uuid:uuid>/skip/", skip, name="skip"),
    path("<uuid:uuid>/undo/", undo, name="undo"),
    path("<uuid:uuid>/heartbeat/", heartbeat, name="heartbeat"),
    path("<uuid:uuid>/release/", release, name="release"),
    path("<uuid:uuid>/flag/", flag, name="flag"),
    path("<uuid:uuid>/comment/", comment, name="comment"),
    path("<uuid:uuid>/comments/", comments, name="comments"),
    path("<uuid:uuid>/comments/resolve/", resolve_comment, name="resolve_comment"),
    path("<uuid:uuid>/guideline/acknowledge/", know_guideline, name="know_guideline"),
    path("<uuid:uuid>/people/", people, name="people"),
]
