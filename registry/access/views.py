from __future__ import annotations

from uuid import UUID

from allauth.account.decorators import reauthentication_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lifecycle.refusals import Refused
from lifecycle.ui.forms import add_refusal, errors_of
from lifecycle.ui.toasts import toast
from registry.access import actions, policy, queries
from registry.access.decorators import needs, signed_in
from registry.access.forms import PersonForm, ProfileForm, ProjectForm, RoleForm, ThemeForm, TokenForm
from registry.access.models import Project, User
from registry.access.requests import SignedInRequest
from registry.access.roles import ACTIONS, Role


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def profile(request: SignedInRequest) -> HttpResponse:
    """A person's own settings and tokens."""
    form = ProfileForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data.pop("display_name")
        try:
            actions.rename(actor=request.user, name=name)
            actions.set_preferences(request.user, **form.cleaned_data)
            toast(request, "Profile saved")
            return redirect("access:profile")
        except Refused as refusal:
            add_refusal(form, refusal)
            request.user.refresh_from_db(fields=["display_name"])
    return show_profile(request, form=form, status=422 if form.errors else 200)


@require_POST
@signed_in
def theme(request: SignedInRequest) -> HttpResponse:
    """Keep the theme that the switch chose."""
    form = ThemeForm(request.POST)
    if form.is_valid():
        actions.set_preferences(request.user, theme=form.cleaned_data["theme"])
    return HttpResponse(status=204 if form.is_valid() else 422)


@require_POST
@signed_in
@reauthentication_required
def create_token(request: SignedInRequest) -> HttpResponse:
    """Make a token; its secret is shown in this answer and never again."""
    form = TokenForm(request.POST, user=request.user)
    if not form.is_valid():
        return show_profile(request, token_form=form, status=422)
    token, secret = actions.create_token(user=request.user, **form.cleaned_data)
    return show_profile(request, secret=secret, made=token)


@require_POST
@signed_in
def revoke_token(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """End one of one's own tokens; anybody's for an organisation admin."""
    admin = request.user.is_organisation_admin
    token = get_object_or_404(queries.all_tokens() if admin else queries.tokens(request.user), uuid=uuid)
    actions.revoke_token(token_id=token.uuid, actor=request.user)
    toast(request, f"Token {token.name} revoked")
    return redirect("access:profile" if token.user_id == request.user.pk else "access:tokens")


@require_safe
@signed_in
def tokens(request: SignedInRequest) -> HttpResponse:
    """Everybody's live tokens, without their secrets (organisation admins)."""
    if not request.user.is_organisation_admin:
        raise PermissionDenied("Only an organisation admin sees other people's tokens.")
    return render(request, "registry/access/tokens.html", {"tokens": queries.all_tokens()})


def show_profile(request: SignedInRequest, *, status: int = 200, **context: object) -> HttpResponse:
    """The profile page, with whatever form was just refused."""
    context.setdefault("form", ProfileForm(instance=request.user))
    context.setdefault("token_form", TokenForm(initial={"scopes": ["read"]}, user=request.user))
    response = render(request, "registry/access/profile.html", context | {"tokens": queries.tokens(request.user)}, status=status)
    response["Cache-Control"] = "no-store"
    return response


@require_safe
@signed_in
def projects(request: SignedInRequest) -> HttpResponse:
    """The projects that one has a part in."""
    context = {"projects": queries.projects(request.user), "form": ProjectForm()}
    return render(request, "registry/access/projects.html", context)


@require_POST
@signed_in
def create_project(request: SignedInRequest) -> HttpResponse:
    """Make a workspace (organisation admins)."""
    form = ProjectForm(request.POST)
    if form.is_valid():
        try:
            project = actions.create_project(actor=request.user, **form.cleaned_data)
            return redirect("access:project", project.uuid)
        except Refused as refusal:
            form.add_error("slug", refusal.message)
    return render(request, "registry/access/projects.html", {"projects": queries.projects(request.user), "form": form}, status=422)


@require_safe
@needs("access.view_project", Project)
def project(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """A project's people, and what each role may do."""
    found = Project.objects.get(uuid=uuid)
    context = {
        "project": found,
        "members": queries.members(found),
        "form": RoleForm(project=found),
        "may_manage": policy.can(request.user, "access.manage_members", found),
        "table": [
            (action.replace(".", ": ").replace("_", " ").capitalize(), [role in roles for role in Role])
            for action, roles in ACTIONS.items()
        ],
        "roles": list(Role),
    }
    return render(request, "registry/access/project.html", context)


@require_POST
@needs("access.manage_members", Project, see="access.view_project")
def grant(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Give a role."""
    return change_role(request, uuid, actions.grant)


@require_POST
@needs("access.manage_members", Project, see="access.view_project")
def revoke(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Take a role away."""
    return change_role(request, uuid, actions.revoke)


def change_role(request: SignedInRequest, uuid: UUID, action: object) -> HttpResponse:
    """Read the form, then give or take the role."""
    found = Project.objects.get(uuid=uuid)
    form = RoleForm(request.POST, project=found)
    if not form.is_valid():
        raise Refused("Choose a person and a role.", fields=errors_of(form))
    user, role = form.cleaned_data["user"], Role(form.cleaned_data["role"])
    action(user=user, role=role, root=found, actor=request.user)  # type: ignore[operator]
    toast(request, f"{user} is {'now' if action is actions.grant else 'no longer'} {role.label}")
    return redirect("access:project", uuid)


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def people(request: SignedInRequest) -> HttpResponse:
    """Everybody, and adding one (organisation admins)."""
    if not request.user.is_organisation_admin:
        raise PermissionDenied("Only an organisation admin manages people.")
    form = PersonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            person = actions.create_user(actor=request.user, **form.cleaned_data)
            toast(request, f"{person} can sign in now")
            return redirect("access:people")
        except Refused as refusal:
            add_refusal(form, refusal)
    return render(request, "registry/access/people.html", {"people": queries.people(), "form": form}, status=422 if form.errors else 200)


@require_POST
@signed_in
def deactivate(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """End a person's access (organisation admins)."""
    person = actions.deactivate_user(user_id=get_object_or_404(User, uuid=uuid).uuid, actor=request.user)
    toast(request, f"{person} can no longer sign in")
    return redirect("access:people")
