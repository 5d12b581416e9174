"""A small site to try the shell on: a page with a fragment, refusals, a form, and the style guide."""

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import include, path

from lifecycle.runtime.refusals import Conflict, NotReady, Refused
from lifecycle.ui import navigation, palette
from lifecycle.ui.csp import charts
from lifecycle.ui.respond import redirect_or_refresh, respond
from lifecycle.ui.toasts import toast

NOT_NOW = {
    "conflict": Conflict(
        "Request 41 is approved and can no longer be rejected.", next_step="Reload the page."
    ),
    "refused": Refused("The queue holds 8 of 8 runs."),
    "not_ready": NotReady("The base model is still being fetched."),
    "denied": PermissionDenied("Only a governance reviewer can approve."),
}


class NameForm(forms.Form):
    name = forms.CharField(max_length=5)


def refuse(request, kind):
    raise NOT_NOW[kind]


def fragment(request):
    return respond(request, "ui_page.html", "part", {"number": 7})


def save(request):
    toast(request, "Saved as card_arrival", undo_url="/undo/")
    return respond(request, "ui_page.html", "part", {"number": 8})


def moved(request):
    return redirect("/page/")


def wrong_form(request):
    form = NameForm(request.POST or {"name": "too long a name"})
    return respond(
        request, "ui_page.html", "part", {"form": form, "number": 9}, status=422, target="#elsewhere"
    )


def live(request):
    return HttpResponse('<p id="live">done</p>')


def points(request):
    return JsonResponse({"traces": [0, 1], "x": [[780], [780]], "y": [[0.09], [0.33]], "next": None})


def counts(request):
    return render(request, "components/navigation_counts.html", {"counts": navigation.counts(request.user)})


def find(request):
    query = request.GET.get("q", "")
    return render(
        request,
        "components/palette_results.html",
        {"sections": palette.find(request.user, query), "query": query},
    )


home = [path("counts/", counts, name="counts"), path("find/", find, name="palette")]
work = [
    path("runs/", fragment, name="runs"),
    path("runs/compare/", fragment, name="compare"),
    path("models/", fragment, name="models"),
]
urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("access/", include("registry.ground.access.urls")),
    path("home/", include((home, "home"))),
    path("work/", include((work, "work"))),
    path("page/", fragment, name="page"),
    path("save/", save),
    path("moved/", moved),
    path("back/", lambda request: redirect_or_refresh(request, "/page/")),
    path("again/", lambda request: redirect_or_refresh(request)),
    path("wrong/", wrong_form),
    path("private/", login_required(fragment)),
    path("live/", live),
    path("points/", points),
    path("styleguide/", charts(lambda request: render(request, "home/styleguide.html"))),
    path("<slug:kind>/refuse/", refuse),
]
