"""Pages of the catalog: models, versions, cards, endpoints' freezes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import FileResponse, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lifecycle.modeling.training.models import Run
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.ui.addresses import key_in
from lifecycle.ui.forms import add_refusal, errors_of, refused_on
from lifecycle.ui.respond import done_at, redirect_or_refresh, respond
from lifecycle.ui.toasts import toast
from registry.catalog import actions, page, queries, rules
from registry.catalog.forms import CardForm, EndpointForm, FreezeForm, ModelForm, QuarantineForm, RegisterForm
from registry.catalog.models import Endpoint, Freeze, ModelVersion, RegisteredModel
from registry.ground.access import policy
from registry.ground.access.decorators import needs, signed_in
from registry.ground.access.requests import SignedInRequest

SEE = "catalog.view"


@require_safe
@signed_in
def models(request: SignedInRequest) -> HttpResponse:
    """The registered models."""
    context = {
        "models": queries.models(request.user),
        "may_create": policy.can_somewhere(request.user, "catalog.create_model"),
    }
    return respond(request, "registry/catalog/list.html", "models", context)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def new_model(request: SignedInRequest) -> HttpResponse:
    """Make a registered model."""
    form = ModelForm(request.POST or None, user=request.user)
    if form.is_valid():
        with refused_on(form):
            made = actions.create_model(actor=request.user, **form.cleaned_data)
            return done_at(request, reverse("catalog:model", args=[made.uuid]), f"Model {made.name} created")
    return respond(
        request,
        "registry/catalog/form.html",
        "form",
        page.form("New model", "Create model", form),
        status=422 if form.is_bound else 200,
    )


@require_safe
@needs(SEE, RegisteredModel)
def model(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """One model with its versions and endpoints."""
    found = policy.get_visible(request.user, queries.models(request.user), SEE, uuid=uuid)
    key = key_in(request.GET)
    return respond(request, "registry/catalog/model.html", "versions", page.model(request.user, found, key))


@require_safe
@needs("catalog.register", Run, see="training.view")
def register_run(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Under which model is this run to be registered? A project's only model is taken at once."""
    run = Run.objects.select_related("project").get(uuid=uuid)
    found = list(queries.models(request.user).filter(project=run.project)[:2])
    if len(found) == 1:
        return redirect(f"{reverse('catalog:register', args=[found[0].uuid])}?run={run.uuid}")
    models = queries.models(request.user).filter(project=run.project)
    may_create = policy.can(request.user, "catalog.create_model", run.project)
    return respond(
        request,
        "registry/catalog/choose.html",
        "models",
        {"run": run, "models": models, "may_create": may_create},
    )


@require_http_methods(["GET", "HEAD", "POST"])
@needs("catalog.register", RegisteredModel, see=SEE)
def register(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Have a run sealed as a version."""
    found = RegisteredModel.objects.get(uuid=uuid)
    newest = found.versions.order_by("-number").first()
    initial = {
        "run": request.GET.get("run"),
        "semver": rules.next_semver(newest.semver if newest else None),
        "purpose": found.purpose,
    }
    form = RegisterForm(request.POST or None, user=request.user, model=found, initial=initial)
    if form.is_valid():
        with refused_on(form):
            given = form.cleaned_data
            actions.register(
                model=found,
                run=given["run"],
                semver=given["semver"],
                stated=form.stated(),
                actor=request.user,
            )
            return done_at(
                request, reverse("catalog:model", args=[uuid]), "Hashing and signing files", kind="live"
            )
    context = page.form(f"Register version of {found.name}", "Register version", form, found)
    return respond(
        request, "registry/catalog/form.html", "form", context, status=422 if form.is_bound else 200
    )


@require_http_methods(["GET", "HEAD", "POST"])
@needs("catalog.create_endpoint", RegisteredModel, see=SEE)
def new_endpoint(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Make an endpoint of a model."""
    found = RegisteredModel.objects.select_related("project").get(uuid=uuid)
    form = EndpointForm(request.POST or None)
    if form.is_valid():
        with refused_on(form):
            made = actions.create_endpoint(model=found, actor=request.user, **form.cleaned_data)
            return done_at(request, reverse("catalog:model", args=[uuid]), f"Endpoint {made.slug} created")
    context = page.form(f"New endpoint for {found.name}", "Create endpoint", form, found)
    return respond(
        request, "registry/catalog/form.html", "form", context, status=422 if form.is_bound else 200
    )


@require_safe
@needs(SEE, ModelVersion)
def version(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """One version: thread, card, files, signature, promotions, deployments."""
    return show_version(request, uuid)


def show_version(request: SignedInRequest, uuid: UUID, *, status: int = 200, **more: Any) -> HttpResponse:
    """The page of a version, with whatever was just refused."""
    return respond(
        request,
        "registry/catalog/version.html",
        "version",
        page.version(request.user, uuid) | more,
        status=status,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@needs("catalog.edit_card", ModelVersion, see=SEE)
def edit_card(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """State purpose, limits and risks again."""
    found = ModelVersion.objects.select_related("model").get(uuid=uuid)
    card = queries.newest_card(found)
    form = CardForm(
        request.POST or None, initial={**(card.stated if card else {}), "seen": card.digest if card else ""}
    )
    status = 422 if form.is_bound else 200
    if form.is_valid():
        try:
            made = actions.edit_card(
                version=found, stated=form.stated(), seen=form.cleaned_data["seen"], actor=request.user
            )
        except (Refused, Conflict) as refusal:
            status = 409 if isinstance(refusal, Conflict) else 422
            add_refusal(form, refusal)
        else:
            toast(
                request,
                f"Card revision {made.revision} saved; this version's open promotion requests are now void",
            )
            return redirect_or_refresh(request, f"{reverse('catalog:version', args=[uuid])}#card")
    context = page.form(f"Edit card of {found}", "Save card", form, found.model)
    return respond(request, "registry/catalog/form.html", "form", context, status=status)


@require_POST
@needs(SEE, ModelVersion)
def verify(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Have every file hashed again and the signature verified."""
    actions.ask_verification(
        version=ModelVersion.objects.select_related("model__project").get(uuid=uuid), actor=request.user
    )
    return redirect_or_refresh(request, f"{reverse('catalog:version', args=[uuid])}#files")


@require_POST
@needs("catalog.quarantine", ModelVersion, see=SEE)
def quarantine(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Take a version out of service for good."""
    found = ModelVersion.objects.select_related("model").get(uuid=uuid)
    form = QuarantineForm(request.POST, version=found)
    if not form.is_valid():
        raise Refused(
            "Nothing was changed. Enter a reason and the version's number.",
            fields=errors_of(form),
        )
    actions.quarantine(version_id=uuid, reason=form.cleaned_data["reason"], actor=request.user)
    return done_at(
        request, reverse("catalog:version", args=[uuid]), f"{found.semver} quarantined", kind="warn"
    )


@require_http_methods(["GET", "POST"])  # a HEAD would be recorded as a download
@needs("catalog.download", ModelVersion, see=SEE)
def export(request: SignedInRequest, uuid: UUID) -> HttpResponseBase:
    """The version as a zip that can be verified without us; a POST has it made."""
    found = ModelVersion.objects.select_related("model__project").get(uuid=uuid)
    if request.method == "POST":
        actions.ask_export(version=found, actor=request.user)
        return redirect_or_refresh(request, f"{reverse('catalog:version', args=[uuid])}#export")
    packed = actions.download(version=found, actor=request.user)
    return FileResponse(
        packed, as_attachment=True, filename=found.export_name, content_type="application/zip"
    )


@require_POST
@needs("catalog.freeze", Endpoint, see=SEE)
def freeze(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Stop promotions and deployments of an endpoint for some days."""
    found, form = Endpoint.objects.select_related("model").get(uuid=uuid), FreezeForm(request.POST)
    if not form.is_valid():
        raise Refused("Nothing was changed. Enter a reason and 1 to 90 days.", fields=errors_of(form))
    actions.freeze(
        endpoint_id=uuid, reason=form.cleaned_data["reason"], until=form.until(), actor=request.user
    )
    return done_at(
        request, reverse("catalog:model", args=[found.model.uuid]), f"{found.slug} frozen", kind="warn"
    )


@require_POST
@needs("catalog.freeze", Freeze, see=SEE)
def lift_freeze(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """End a freeze before its time."""
    lifted = actions.lift_freeze(freeze_id=uuid, actor=request.user)
    return done_at(
        request,
        reverse("catalog:model", args=[lifted.endpoint.model.uuid]),
        f"Freeze of {lifted.endpoint.slug} lifted",
    )
