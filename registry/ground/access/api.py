"""People, projects and roles over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.response import Response

from registry.ground.access import actions, governing, policy, queries
from registry.ground.access.decorators import Needs
from registry.ground.access.models import ApiToken, Project, RoleProposal, User
from registry.ground.access.rest import Request, methods, operation, read
from registry.ground.access.roles import Role
from registry.ground.access.scopes import Scope


class ProjectOut(serializers.ModelSerializer[Project]):
    """A project."""

    class Meta:
        model = Project
        fields = ["uuid", "slug", "name", "created_at", "is_demo"]


class PersonOut(serializers.ModelSerializer[User]):
    """A person, without private details."""

    name = serializers.CharField(source="__str__")

    class Meta:
        model = User
        fields = ["uuid", "username", "name"]


class MemberOut(serializers.Serializer[queries.Member]):
    """A person and their roles on the project."""

    user = PersonOut()
    roles = serializers.ListField(child=serializers.ChoiceField(choices=Role.choices))


class MeOut(serializers.Serializer[User]):
    """The caller."""

    user = PersonOut(source="*")
    roles = serializers.SerializerMethodField()

    def get_roles(self, user: User) -> dict[str, list[str]]:
        """Roles by the uuid of the project."""
        return {
            str(project.uuid): [role.value for role in policy.roles_of(user, project)]
            for project in queries.projects(user)
        }


class RoleIn(serializers.Serializer[None]):
    """A role to assign or remove."""

    user = serializers.UUIDField()
    role = serializers.ChoiceField(choices=Role.choices)
    password = serializers.CharField(
        required=False,
        trim_whitespace=False,
        max_length=4096,
        help_text="the caller's; for lead, governance, and auditor",
    )
    code = serializers.CharField(
        required=False, max_length=20, help_text="from the caller's authenticator app, if they have one"
    )


class RoleProposalOut(serializers.ModelSerializer[RoleProposal]):
    """A proposed change to a governing role and its state. project null: organisation admin."""

    project = serializers.UUIDField(source="project.uuid", default=None, allow_null=True)
    person = PersonOut()
    proposed_by = PersonOut()

    class Meta:
        model = RoleProposal
        fields = [
            "uuid",
            "project",
            "person",
            "role",
            "gives",
            "proposed_by",
            "state",
            "created_at",
            "closed_at",
        ]


class ConfirmIn(serializers.Serializer[None]):
    """Confirming a proposal."""

    password = serializers.CharField(trim_whitespace=False, max_length=4096)
    code = serializers.CharField(
        required=False, max_length=20, help_text="from the caller's authenticator app, if they have one"
    )


class TokenOut(serializers.ModelSerializer[ApiToken]):
    """A token, never its secret. project: the only one it can access; null: all of its owner's."""

    user = PersonOut()
    project = serializers.UUIDField(source="project.uuid", allow_null=True, default=None)

    class Meta:
        model = ApiToken
        fields = ["uuid", "name", "user", "scopes", "project", "created_at", "expires_at", "last_used_at"]


@operation(
    "GET",
    "tokens_list",
    Needs("signed_in"),
    gives=TokenOut(many=True),
    parameters=[OpenApiParameter("all", bool, description="everyone's")],
)
def tokens(request: Request) -> object:
    """List your tokens; organisation admins can list everyone's with `?all=1`."""
    wants_all = request.query_params.get("all") in ("1", "true")
    if wants_all and (policy.is_limited(request.user) or not request.user.is_organisation_admin):
        raise PermissionDenied("Only an organisation admin sees other people's tokens.")
    rows = queries.all_tokens() if wants_all else queries.all_tokens().filter(user=request.user)
    return policy.within(request.user, rows, "project")


# a program may end what its owner has opened, so that a secret that got out is ended from anywhere
@operation("DELETE", "tokens_revoke", Needs("signed_in"), gives=None, status=204, scope=Scope.READ)
def revoke_token(request: Request, uuid: UUID) -> Response:
    """Revoke a token. Someone else's: only as a signed-in organisation admin, not with a token."""
    signed_in = not isinstance(request.auth, ApiToken)
    rows = (
        queries.all_tokens()
        if signed_in and request.user.is_organisation_admin
        else queries.tokens(request.user)
    )
    actions.revoke_token(token_id=get_object_or_404(rows, uuid=uuid).uuid, actor=request.user)
    return Response(status=204)


@operation("GET", "me_retrieve", Needs("signed_in"), gives=MeOut)
def me(request: Request) -> object:
    """Get the token's or session's person and their roles."""
    return request.user


@operation("GET", "projects_list", Needs("signed_in"), gives=ProjectOut(many=True))
def projects(request: Request) -> object:
    """List the projects in which the caller has a role."""
    return queries.projects(request.user)


@operation(
    "GET",
    "projects_members_list",
    Needs("access.view_project", Project),
    gives=MemberOut(many=True),
    scope=None,
)
def members(request: Request, uuid: UUID) -> object:
    """List people and their roles."""
    return queries.members(Project.objects.get(uuid=uuid))


MANAGE = Needs("access.manage_members", Project, "access.view_project")
CHANGED = {200: MemberOut(many=True), 202: RoleProposalOut}


@operation("POST", "projects_members_create", MANAGE, takes=RoleIn, gives=CHANGED, scope=None)
def assign(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Assign a role."""
    return change(request, uuid, given, give=True)


@operation("DELETE", "projects_members_destroy", MANAGE, takes=RoleIn, gives=CHANGED, scope=None)
def remove(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Remove a role."""
    return change(request, uuid, given, give=False)


def change(request: Request, uuid: UUID, given: dict[str, Any], *, give: bool) -> Response:
    """Assign or remove a role; 202 with the proposal if another organisation admin has to confirm it."""
    project = Project.objects.get(uuid=uuid)
    user = get_object_or_404(User, uuid=given["user"], **({"is_active": True} if give else {}))
    act = actions.grant if give else actions.revoke
    again = {name: given.get(name, "") for name in ("password", "code")}
    if proposal := act(user=user, role=Role(given["role"]), root=project, actor=request.user, **again):
        return Response(RoleProposalOut(proposal).data, status=202)
    return Response(MemberOut(queries.members(project), many=True).data)


@operation("GET", "role_proposals_list", Needs("signed_in"), gives=RoleProposalOut(many=True))
def proposals(request: Request) -> object:
    """List open proposals (organisation admins)."""
    governing.check_governor(request.user, None)
    return policy.within(request.user, queries.open_proposals(), "project")


@operation(
    "POST",
    "role_proposals_confirm_create",
    Needs("signed_in"),
    body=ConfirmIn,
    gives=RoleProposalOut,
    scope=None,
)
def confirm_proposal(request: Request, uuid: UUID) -> object:
    """Confirm a proposal."""
    proposal = get_object_or_404(RoleProposal.objects.select_related("project"), uuid=uuid)
    governing.check_governor(request.user, proposal.project)
    return governing.confirm(proposal_id=uuid, actor=request.user, **read(ConfirmIn, request.data))


@operation("POST", "role_proposals_end_create", Needs("signed_in"), gives=RoleProposalOut, scope=None)
def end_proposal(request: Request, uuid: UUID) -> object:
    """Reject a proposal, or withdraw your own."""
    return governing.end(proposal_id=get_object_or_404(RoleProposal, uuid=uuid).uuid, actor=request.user)


urlpatterns = [
    path("me/", me, name="api-me"),
    path("tokens/", tokens, name="api-tokens"),
    path("tokens/<uuid:uuid>/", revoke_token, name="api-token"),
    path("projects/", projects, name="api-projects"),
    path("projects/<uuid:uuid>/members/", methods(members, assign, remove), name="api-members"),
    path("role-proposals/", proposals, name="api-role-proposals"),
    path("role-proposals/<uuid:uuid>/confirm/", confirm_proposal, name="api-role-proposal-confirm"),
    path("role-proposals/<uuid:uuid>/end/", end_proposal, name="api-role-proposal-end"),
]
