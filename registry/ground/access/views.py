from __future__ import annotations

from uuid import UUID

from allauth.account.decorators import reauthentication_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lifecycle.runtime.refusals import Refused
from lifecycle.ui.forms import add_refusal, refused_on
from lifecycle.ui.toasts import toast
from registry.ground.access import actions, governing, policy, queries, step_up
from registry.ground.access.decorators import needs, signed_in
from registry.ground.access.forms import (
    AdminForm,
    ConfirmForm,
    GoverningForm,
    PersonForm,
    ProfileForm,
    ProjectForm,
    RoleForm,
    ThemeForm,
    TokenForm,
)
from registry.ground.access.models import Project, RoleProposal, User
from registry.ground.access.requests import SignedInRequest
from registry.ground.access.roles import ACTIONS, ADMIN, GOVERNING, Role


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def profile(request: SignedInRequest) -> HttpResponse:
    """A person's own settings and tokens."""
    form = ProfileForm(request.POST or None, instance=request.user)
    if form.is_valid():
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
    """End one of one's own tokens; anyone's for an organisation admin."""
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
    return render(request, "registry/ground/access/tokens.html", {"tokens": queries.all_tokens()})


def show_profile(request: SignedInRequest, *, status: int = 200, **context: object) -> HttpResponse:
    """The profile page, with whatever form was just refused."""
    context.setdefault("form", ProfileForm(instance=request.user))
    context.setdefault("token_form", TokenForm(initial={"scopes": ["read"]}, user=request.user))
    response = render(
        request,
        "registry/ground/access/profile.html",
        context | {"tokens": queries.tokens(request.user)},
        status=status,
    )
    response["Cache-Control"] = "no-store"
    return response


@require_safe
@signed_in
def projects(request: SignedInRequest) -> HttpResponse:
    """The projects that one has a part in."""
    return show_projects(request, ProjectForm(creator=request.user))


@sensitive_post_parameters("password")
@require_POST
@signed_in
def create_project(request: SignedInRequest) -> HttpResponse:
    """Make a workspace (organisation admins)."""
    governing.check_governor(request.user, None)
    form = ProjectForm(request.POST, creator=request.user)
    if form.is_valid():
        with refused_on(form):
            project = actions.create_project(actor=request.user, **form.cleaned_data)
            return redirect("access:project", project.uuid)
    return show_projects(request, form)


def show_projects(request: SignedInRequest, form: ProjectForm) -> HttpResponse:
    """The page of projects, with whatever was just refused."""
    known = (
        queries.known_people(request.user).exclude(pk=request.user.pk)
        if request.user.is_organisation_admin
        else ()
    )
    context = {"projects": queries.projects(request.user), "form": form, "known": known}
    return render(
        request, "registry/ground/access/projects.html", context, status=422 if form.is_bound else 200
    )


@require_safe
@needs("access.view_project", Project)
def project(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """A project's people, and what each role may do."""
    return show_project(request, uuid)


def show_project(request: SignedInRequest, uuid: UUID, *, status: int = 200, **forms: object) -> HttpResponse:
    """The page of a project, with whatever form was just refused."""
    found = Project.objects.get(uuid=uuid)
    may_manage = policy.can(request.user, "access.manage_members", found)
    context = {
        "project": found,
        "members": queries.members(found),
        "form": RoleForm(),
        "governing_form": GoverningForm(prefix="governing"),
        "may_manage": may_manage,
        "may_govern": governing.may_govern(request.user, found),
        "proposals": queries.open_proposals().filter(project=found),
        "known": queries.known_people(request.user) if may_manage else (),
        "governing_roles": GOVERNING,
        "table": [(action.label, [role in action.roles for role in Role]) for action in ACTIONS.values()],
        "roles": list(Role),
    }
    return render(request, "registry/ground/access/project.html", context | forms, status=status)


@sensitive_post_parameters("governing-password", "governing-code")
@require_POST
@needs("access.manage_members", Project, see="access.view_project")
def grant(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Give a role."""
    return change_role(request, uuid, gives=True)


@sensitive_post_parameters("governing-password", "governing-code")
@require_POST
@needs("access.manage_members", Project, see="access.view_project")
def revoke(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Take a role away."""
    return change_role(request, uuid, gives=False)


def change_role(request: SignedInRequest, uuid: UUID, *, gives: bool) -> HttpResponse:
    """Read the form, then give or take the role; one of control by the form that asks for the password."""
    found = Project.objects.get(uuid=uuid)
    governs = "governing-role" in request.POST
    form: RoleForm | GoverningForm = (
        GoverningForm(request.POST, prefix="governing") if governs else RoleForm(request.POST)
    )
    if governs:
        governing.check_governor(request.user, found)
    if not gives:
        form.fields["user"].queryset = User.objects.all()  # type: ignore[attr-defined]  # also from who is no longer active
    if form.is_valid():
        given = form.cleaned_data | {"role": Role(form.cleaned_data["role"])}
        with refused_on(form):
            proposal = (actions.grant if gives else actions.revoke)(root=found, actor=request.user, **given)
            toast_change(request, given["user"], given["role"].label, proposal, gives=gives)
            return redirect("access:project", uuid)
    return show_project(request, uuid, status=422, **{"governing_form" if governs else "form": form})


def toast_change(
    request: SignedInRequest, person: User, label: str, proposal: RoleProposal | None, *, gives: bool
) -> None:
    """Show whether a change took effect, or waits for another admin."""
    if proposal:
        toast(request, "Change proposed. Another organisation admin must confirm it.", kind="live")
    else:
        toast(request, f"{person} is {'now' if gives else 'no longer'} {label}")


@sensitive_post_parameters("first_password", "password", "code")
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def people(request: SignedInRequest) -> HttpResponse:
    """Everybody, and adding one (organisation admins, who give their password again)."""
    governing.check_governor(request.user, None)
    form = PersonForm(request.POST or None)
    if form.is_valid():
        given = form.cleaned_data
        first = given.pop("first_password")
        with refused_on(form):
            step_up.confirm_password(request.user, given.pop("password"), given.pop("code"))
            person = actions.create_user(actor=request.user, password=first, **given)
            toast(request, f"{person} can now sign in")
            return redirect("access:people")
    return show_people(request, status=422 if form.errors else 200, form=form)


def show_people(
    request: SignedInRequest,
    *,
    status: int = 200,
    refused: dict[UUID, ConfirmForm] | None = None,
    **more: object,
) -> HttpResponse:
    """The page of people, with whatever form was just refused; refused: that of a proposal, by its uuid."""
    own = queries.roles_by_project(request.user)
    waiting = [
        (each, each.project_id not in own, (refused or {}).get(each.uuid) or confirm_form(each.uuid))
        for each in queries.open_proposals()
    ]
    context = {
        "people": queries.people(),
        "form": PersonForm(),
        "admin_form": AdminForm(prefix="admin"),
        "proposals": waiting,
        "known": queries.known_people(request.user),
    }
    return render(request, "registry/ground/access/people.html", context | more, status=status)


def confirm_form(uuid: UUID, data: QueryDict | None = None) -> ConfirmForm:
    """The form of one proposal among others on the page."""
    return ConfirmForm(data, auto_id=f"id_{uuid}_%s")


@sensitive_post_parameters("admin-password", "admin-code")
@require_POST
@signed_in
def change_admin(request: SignedInRequest) -> HttpResponse:
    """Make someone an organisation admin, or the reverse."""
    governing.check_governor(request.user, None)
    form = AdminForm(request.POST, prefix="admin")
    if form.is_valid():
        given = form.cleaned_data
        person, gives = given.pop("user"), given.pop("gives") == "1"
        with refused_on(form):
            made = governing.change(
                person=person, role=ADMIN, project=None, gives=gives, actor=request.user, **given
            )
            toast_change(request, person, "an organisation admin", made, gives=gives)
            return redirect("access:people")
    return show_people(request, status=422, admin_form=form)


@sensitive_post_parameters("password", "code")
@require_POST
@signed_in
def confirm(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Carry out what another organisation admin proposed."""
    proposal = get_object_or_404(RoleProposal.objects.select_related("project"), uuid=uuid)
    governing.check_governor(request.user, proposal.project)
    form = confirm_form(uuid, request.POST)
    if form.is_valid():
        with refused_on(form):
            done = governing.confirm(proposal_id=uuid, actor=request.user, **form.cleaned_data)
            toast_change(request, done.person, done.get_role_display(), None, gives=done.gives)
            return redirect("access:people")
    return show_people(request, status=422, refused={uuid: form})


@require_POST
@signed_in
def end(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """Reject a proposal, or withdraw one's own."""
    proposal = governing.end(proposal_id=get_object_or_404(RoleProposal, uuid=uuid).uuid, actor=request.user)
    toast(request, f"Proposal {proposal.get_state_display().lower()}", kind="warn")
    return redirect("access:people")


@require_POST
@signed_in
def deactivate(request: SignedInRequest, uuid: UUID) -> HttpResponse:
    """End a person's access (organisation admins, who give their password again)."""
    person = get_object_or_404(User, uuid=uuid)
    governing.check_governor(request.user, None)
    return deactivate_confirmed(request, person)


@reauthentication_required
def deactivate_confirmed(request: SignedInRequest, person: User) -> HttpResponse:
    """The rest of `deactivate`, once the password was given again."""
    person = actions.deactivate_user(user_id=person.uuid, actor=request.user)
    toast(request, f"{person} can no longer sign in")
    return redirect("access:people")
