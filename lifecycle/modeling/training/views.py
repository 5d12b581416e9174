"""Pages of runs and base models."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lifecycle.ground.jobs.forms import read_priority
from lifecycle.modeling.training import (
    actions,
    advice_page,
    estimate_page,
    launch_page,
    overlay_page,
    pages,
    queries,
    record_page,
    sample_page,
)
from lifecycle.modeling.training.forms import FolderForm, HubForm, KeyForm, LaunchForm
from lifecycle.modeling.training.models import Run
from lifecycle.runtime.engine.base import MINILM, SMOLLM2, bundled_smollm2
from lifecycle.runtime.refusals import Refusal, Refused
from lifecycle.ui.csp import charts
from lifecycle.ui.forms import refused_on
from lifecycle.ui.respond import done_at, redirect_or_refresh, respond, wants_fragment
from registry.ground.access import policy
from registry.ground.access.decorators import needs, signed_in
from registry.ground.access.models import Project
from registry.ground.access.requests import SignedInRequest


@require_safe
@signed_in
def runs(request: SignedInRequest) -> HttpResponse:
    """The runs in the user's projects."""
    return respond(
        request, "lifecycle/modeling/training/list.html", "runs", pages.listing(request.user, request.GET)
    )


@require_safe
@charts
@signed_in
def overlay(request: SignedInRequest) -> HttpResponse:
    """The overlaid curves of several runs: ?run= up to six times, ?metric=."""
    return respond(
        request,
        "lifecycle/modeling/training/overlay.html",
        "overlay",
        overlay_page.overlay(request.user, request.GET),
    )


@require_safe
@charts
@needs("training.view", Run)
@never_cache
def run(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """One run: state, curves, diagnoses, provenance, and evaluation if there is one."""
    context = pages.detail(request.user, uuid)
    context |= {
        "expected": estimate_page.beside(context["run"]),
        "samples": sample_page.samples(request.user, context["run"]),
    }
    return respond(request, "lifecycle/modeling/training/detail.html", "live", context)


@require_safe
@needs("training.view", Run)
@never_cache
def live(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The parts of a run's page that change while it runs; the whole page after it has ended."""
    context = pages.live(request.user, uuid)
    if not context["active"] or not wants_fragment(request):
        return redirect_or_refresh(request, reverse("training:detail", args=[uuid]))
    context["samples"] = sample_page.samples(request.user, context["run"])
    return respond(request, "lifecycle/modeling/training/live.html", "parts", context)


@require_safe
@needs("training.view", Run)
@never_cache
def points(request: SignedInRequest, uuid: UUID) -> JsonResponse:
    """New points of one chart, ?chart= after ?after=, for the page's script."""
    chart, after = request.GET.get("chart", ""), request.GET.get("after", "-1")
    if chart not in pages.CHARTS or not after.removeprefix("-").isdecimal() or len(after) > 10:
        return JsonResponse({"traces": [], "x": [], "y": [], "next": None}, status=404)
    return JsonResponse(pages.page_points(queries.get_run(request.user, uuid), chart, int(after)))


@require_http_methods(["GET", "HEAD", "POST"])
@needs("training.launch")
def launch(request: SignedInRequest) -> HttpResponse:
    """Launch a run: choose data, base, and strategy, and review the settings with their reasons."""
    context, form = filled(request)
    if form is None:
        status = 422 if request.method == "POST" else 200
        return respond(request, "lifecycle/modeling/training/launch.html", "launch", context, status=status)
    if form.is_valid():
        chosen = {name: context[name] for name in ("snapshot", "base", "strategy")}
        given = {"options": form.options()} | {
            name: form.cleaned_data[name] for name in ("note", "key", "priority")
        }
        try:
            made = actions.launch(actor=request.user, **chosen, **given)
        except Refusal as refusal:
            form.refuse(refusal)
        else:
            return redirect_or_refresh(request, reverse("training:detail", args=[made.uuid]))
    return respond(
        request,
        "lifecycle/modeling/training/launch.html",
        "launch",
        context | {"form": form},
        status=422 if form.is_bound else 200,
    )


def filled(request: SignedInRequest) -> tuple[dict[str, Any], LaunchForm | None]:
    """The launch page with the submitted settings; no form without data or a base."""
    given = request.POST or request.GET
    context = launch_page.launch(request.user, given)
    if "suggestion" not in context:
        return context, None
    context |= advice_page.shown(context, given)
    initial = {"key": context["key"]} | ({"seed": context["like"].spec["seed"]} if context["like"] else {})
    return context, LaunchForm(
        request.POST or None,
        suggestion=context["suggestion"],
        not_there=context["not_there"],
        initial=initial,
    )


@require_POST
@needs("training.pause", Run, see="training.view")
def pause(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Pause a run at its next step."""
    paused = actions.pause(run_id=uuid, actor=request.user)
    return done_at(
        request,
        reverse("training:detail", args=[uuid]),
        f"{paused} is {paused.get_state_display().lower()}",
        kind="live",
    )


@require_POST
@needs("training.stop", Run, see="training.view")
def stop(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Stop a run at its next step; its checkpoint stays."""
    stopped = actions.stop(run_id=uuid, actor=request.user)
    return done_at(
        request,
        reverse("training:detail", args=[uuid]),
        f"{stopped} is {stopped.get_state_display().lower()}",
        kind="live",
    )


@require_POST
@needs("training.launch", Run, see="training.view")
def resume(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Queue a paused, stopped or failed run again, from its checkpoint."""
    resumed = actions.resume(run_id=uuid, actor=request.user)
    return done_at(
        request,
        reverse("training:detail", args=[uuid]),
        f"{resumed} resumes from its last checkpoint",
        kind="live",
    )


@require_POST
@needs("training.launch", Run, see="training.view")
def prioritise(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Raise or lower the priority of a queued run."""
    priority, seen = read_priority(request.POST)
    moved = actions.prioritise(run_id=uuid, priority=priority, actor=request.user, seen=seen)
    return done_at(
        request, reverse("training:detail", args=[uuid]), f"{moved} is {priority.word}", kind="live"
    )


@require_safe
@needs("training.launch", Run, see="training.view")
def manifest(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The run as a Kubernetes Job, as an attachment."""
    run = queries.get_run(request.user, uuid)
    headers = {"Content-Disposition": f'attachment; filename="run-{run.number}.yaml"'}
    return HttpResponse(record_page.manifest_of(run), content_type="application/yaml", headers=headers)


@require_POST
@needs("training.launch", Run, see="training.view")
def reproduce(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Run the same spec again to compare the weights."""
    form = KeyForm(request.POST)
    if not form.is_valid():
        raise Refused("The form is missing its key.", next_step="Reload the page.")
    made = actions.reproduce(run_id=uuid, actor=request.user, key=form.cleaned_data["key"])
    return redirect_or_refresh(request, reverse("training:detail", args=[made.uuid]))


@require_POST
@needs("training.launch", Run, see="training.view")
def train_on(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Make a run's model a base, and open the launch form with it."""
    base = actions.add_run_base(run=queries.get_run(request.user, uuid), actor=request.user)
    return redirect_or_refresh(request, launch_page.start_url(base))


# ── Base models ─────────────────────────────────────────────────────────────
@require_safe
@signed_in
def bases(request: SignedInRequest) -> HttpResponse:
    """The base models in the user's projects, and how to add one."""
    packaged = SMOLLM2 if bundled_smollm2() else ""
    context = launch_page.bases(request.user) | {
        "smollm2": packaged,
        "projects": adding_projects(request),
        "folder_form": FolderForm(),
        "hub_form": HubForm(),
    }
    return respond(request, "lifecycle/modeling/training/bases.html", "bases", context)


def adding_projects(request: SignedInRequest) -> list[Project]:
    """The projects in which the user may add base models."""
    return list(policy.visible_to(request.user, Project, "training.add_base").order_by("name"))


@require_POST
@needs("training.add_base", Project, see="access.view_project")
def add_packaged(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Add an installed base model: ?name=, by default all-MiniLM-L6-v2."""
    name = request.POST.get("name") or MINILM
    base = actions.add_packaged_base(project=Project.objects.get(uuid=uuid), actor=request.user, name=name)
    return done_at(request, reverse("training:bases"), f"{base} is being imported", kind="live")


@require_POST
@needs("training.add_base", Project, see="access.view_project")
def add_folder(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Add a local folder."""
    return add(request, uuid, FolderForm(request.POST), "folder_form")


@require_POST
@needs("training.add_base", Project, see="access.view_project")
def add_hub(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Add a hub model."""
    return add(request, uuid, HubForm(request.POST), "hub_form")


def add(request: SignedInRequest, uuid: UUID, form: FolderForm | HubForm, name: str) -> HttpResponse:
    """Handle one of the two forms, or show its errors."""
    if form.is_valid():
        call = actions.add_folder_base if isinstance(form, FolderForm) else actions.add_hub_base
        with refused_on(form, Refusal):
            base = call(project=Project.objects.get(uuid=uuid), actor=request.user, **form.cleaned_data)
            return done_at(request, reverse("training:bases"), f"{base} is being imported", kind="live")
    context = launch_page.bases(request.user) | {
        "projects": adding_projects(request),
        "folder_form": FolderForm(),
        "hub_form": HubForm(),
        name: form,
    }
    return respond(request, "lifecycle/modeling/training/bases.html", "bases", context, status=422)
