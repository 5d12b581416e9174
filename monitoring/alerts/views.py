"""Pages of alerts: the list, one alert, an endpoint's objectives, silences, channels, and what was
suppressed.
"""

from __future__ import annotations

from uuid import UUID, uuid4

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lifecycle.ground.notices import delivery
from lifecycle.ground.notices.models import Channel
from lifecycle.runtime.refusals import Refusal, Refused
from lifecycle.ui.addresses import key_in, typed_in
from lifecycle.ui.csp import charts
from lifecycle.ui.forms import cleaned, refused_on
from lifecycle.ui.respond import done_at, redirect_or_refresh, respond
from lifecycle.ui.toasts import toast
from monitoring.alerts import actions, page, queries
from monitoring.alerts.forms import ChannelForm, ObjectiveForm, ResolveForm, SeenForm, SilenceForm, SwitchForm
from monitoring.alerts.models import Alert, Objective, Silence
from monitoring.alerts.rules.objectives import Kind
from registry.catalog.models import Endpoint
from registry.ground.access import policy
from registry.ground.access.decorators import needs, signed_in
from registry.ground.access.requests import SignedInRequest

SEE, MANAGE = "alerts.view", "alerts.manage"
LIST, DETAIL, ENDPOINT, PANEL, SILENCES, CHANNELS, SUPPRESSED = (
    f"monitoring/alerts/{name}.html"
    for name in ("list", "detail", "endpoint", "panel", "silences", "channels", "suppressed")
)


@require_safe
@never_cache
@signed_in
def alerts(request: SignedInRequest) -> HttpResponse:
    """What is open, then what was."""
    return respond(
        request, LIST, "alerts", page.listing.alerts(request.user, request.GET.dict(), key_in(request.GET))
    )


@require_safe
@charts
@never_cache
@needs(SEE, Alert)
def detail(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """One alert."""
    return respond(request, DETAIL, "alert", page.detail.alert(request.user, one(request, uuid)))


@require_POST
@needs("alerts.acknowledge", Alert, see=SEE)
def acknowledge(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Acknowledge an alert."""
    actions.acknowledge(alert_id=uuid, actor=request.user, seen=cleaned(SeenForm(request.POST))["seen"])
    return done_at(request, reverse("alerts:detail", args=[uuid]), "Alert acknowledged")


@require_POST
@charts
@needs("alerts.acknowledge", Alert, see=SEE)
def resolve(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """End it by hand."""
    actions.resolve(alert_id=uuid, actor=request.user, **cleaned(ResolveForm(request.POST)))
    return done_at(request, reverse("alerts:detail", args=[uuid]), "Alert resolved")


@require_safe
@charts
@never_cache
@needs(SEE, Endpoint)
def endpoint(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """What an endpoint is held to, how much budget is left, and how fast it burns."""
    return respond(request, ENDPOINT, "objectives", page.endpoint.objectives(request.user, endpoint_of(uuid)))


@require_safe
@never_cache
@needs(SEE, Endpoint)
def panel(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """The same in short: a part of the endpoint's page."""
    return respond(request, PANEL, "panel", page.endpoint.panel(request.user, endpoint_of(uuid)))


@require_POST
@charts
@needs(MANAGE, Endpoint, see=SEE)
def set_objective(request: SignedInRequest, uuid: UUID, kind: str) -> HttpResponse:
    """Set an objective, or change it."""
    found = endpoint_of(uuid)
    if kind not in Kind.values:
        raise Refused("Objective not found.")
    form = ObjectiveForm(request.POST, kind=kind, endpoint=found)
    if form.is_valid():
        with refused_on(form):
            actions.set_objective(endpoint_id=uuid, kind=kind, actor=request.user, **form.values)
            return done_at(
                request,
                reverse("alerts:endpoint", args=[uuid]),
                f"{Kind(kind).label} objective of {found.slug} saved",
            )
    return respond(
        request, ENDPOINT, "objectives", page.endpoint.objectives(request.user, found, form, kind), status=422
    )


@require_POST
@needs(MANAGE, Objective, see=SEE)
def switch_objective(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Stop evaluating an objective, or continue."""
    given = cleaned(SwitchForm(request.POST))
    made = actions.switch_objective(
        objective_id=uuid, is_on=given["on"], actor=request.user, seen=given["seen"]
    )
    toast(
        request,
        f"{made.get_kind_display()} objective turned {'on' if made.is_on else 'off'}",
        kind="ok" if made.is_on else "warn",
    )
    return redirect_or_refresh(request, reverse("alerts:endpoint", args=[made.endpoint.uuid]))


@require_safe
@signed_in
def suppressed(request: SignedInRequest) -> HttpResponse:
    """Conditions that notified no one, and why."""
    return respond(
        request,
        SUPPRESSED,
        "suppressed",
        page.listing.suppressed(request.user, request.GET.dict(), key_in(request.GET)),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def silences(request: SignedInRequest) -> HttpResponse:
    """What is silenced, and until when; and a new silence."""
    if request.method != "POST":
        return respond(
            request,
            SILENCES,
            "silences",
            page.listing.silences(request.user, where=request.GET.get("where", "")),
        )
    form = SilenceForm(request.POST, user=request.user)
    if form.is_valid():
        given, (project, about) = form.cleaned_data, form.place
        until = timezone.now() + form.length
        with refused_on(form):
            actions.silence(
                project=project,
                endpoint=about,
                until=until,
                reason=given["reason"],
                source=given["source"],
                actor=request.user,
            )
            return done_at(request, reverse("alerts:silences"), f"{about or project} silenced", kind="warn")
    return respond(request, SILENCES, "silences", page.listing.silences(request.user, form), status=422)


@require_POST
@needs("alerts.silence", Silence, see=SEE)
def end_silence(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Have messages come again."""
    made = actions.end_silence(silence_id=uuid, actor=request.user)
    return done_at(request, reverse("alerts:silences"), f"Silence of {made.endpoint or made.project} ended")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def channels(request: SignedInRequest) -> HttpResponse:
    """Ways out: e-mail and webhooks; and a new one. A webhook's secret is in the answer that makes it and
    nowhere else.
    """
    if request.method != "POST":
        return respond(request, CHANNELS, "channels", page.channels.channels(request.user))
    form = ChannelForm(request.POST, user=request.user)
    if form.is_valid():
        with refused_on(form, Refusal):
            made = delivery.add_channel(actor=request.user, **form.cleaned_data)
            toast(request, f"{made.name} added")
            return respond(
                request,
                CHANNELS,
                "channels",
                page.channels.channels(request.user, made=made if made.kind == "webhook" else None),
            )
    return respond(request, CHANNELS, "channels", page.channels.channels(request.user, form), status=422)


@require_POST
@needs(MANAGE, Channel, see=SEE)
def switch_channel(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Switch a way out on or off."""
    made = delivery.change_channel(channel_id=uuid, actor=request.user, is_on="on" in request.POST)
    toast(request, f"{made.name} turned {'on' if made.is_on else 'off'}", kind="ok" if made.is_on else "warn")
    return redirect_or_refresh(request, reverse("alerts:channels"))


@require_POST
@needs(MANAGE, Channel, see=SEE)
def test_channel(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Send a test message."""
    delivery.send_test(
        channel_id=uuid, actor=request.user, once=typed_in(request.POST, "once", 64) or str(uuid4())
    )
    return done_at(
        request, reverse("alerts:channels"), "Test message queued; its result appears below", kind="live"
    )


@require_POST
@needs(MANAGE, Channel, see=SEE)
def new_secret(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Replace a webhook's secret; the new one is in this answer and nowhere else."""
    seen = number(request.POST.get("seen", ""))
    made = delivery.new_secret(channel_id=uuid, actor=request.user, seen=-1 if seen is None else seen)
    return respond(request, CHANNELS, "channels", page.channels.channels(request.user, made=made))


def one(request: SignedInRequest, uuid: UUID) -> Alert:
    """The alert with all that its page shows."""
    return policy.get_visible(request.user, queries.visible(request.user), SEE, uuid=uuid)


def endpoint_of(uuid: UUID) -> Endpoint:
    """The endpoint with its project."""
    return Endpoint.objects.select_related("model__project").get(uuid=uuid)


def number(text: str) -> int | None:
    """A whole number as our pages write them; None for what is none, or too long to be one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
