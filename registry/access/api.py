"""People, projects and roles over REST."""

from __future__ import annotations

from uuid import UUID

from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from registry.access import actions, policy, queries
from registry.access.decorators import Needs
from registry.access.models import Project, User
from registry.access.rest import Request, View
from registry.access.roles import Role


class ProjectOut(serializers.ModelSerializer[Project]):
    """A project as programs read it."""

    class Meta:
        model = Project
        fields = ["uuid", "slug", "name", "created_at", "is_demo"]


class PersonOut(serializers.ModelSerializer[User]):
    """A person, without what is theirs alone."""

    name = serializers.CharField(source="__str__")

    class Meta:
        model = User
        fields = ["uuid", "username", "name"]


class MemberOut(serializers.Serializer[queries.Member]):
    """A person and their roles on the project."""

    user = PersonOut()
    roles = serializers.ListField(child=serializers.ChoiceField(choices=Role.choices))


class MeOut(serializers.Serializer[User]):
    """Who the caller is."""

    user = PersonOut(source="*")
    roles = serializers.SerializerMethodField()

    def get_roles(self, user: User) -> dict[str, list[str]]:
        """Roles by the uuid of the project."""
        return {str(project.uuid): [role.value for role in policy.roles_of(user, project)] for project in queries.projects(user)}


class RoleIn(serializers.Serializer[None]):
    """A role to give or to take."""

    user = serializers.UUIDField()
    role = serializers.ChoiceField(choices=Role.choices)


class Me(View):
    """The caller."""

    @extend_schema(responses=MeOut)
    def get(self, request: Request) -> Response:
        """Who the token or session belongs to, and their roles."""
        return Response(MeOut(request.user).data)


class Projects(View):
    """The caller's projects."""

    @extend_schema(responses=ProjectOut(many=True))
    def get(self, request: Request) -> Response:
        """List the projects in which the caller has a role."""
        return Response(ProjectOut(queries.projects(request.user), many=True).data)


class Members(View):
    """The people of a project."""

    needs = {
        "GET": Needs("access.view_project", Project),
        "POST": Needs("access.manage_members", Project, "access.view_project"),
        "DELETE": Needs("access.manage_members", Project, "access.view_project"),
    }
    scope = None  # giving roles is for people

    @extend_schema(responses=MemberOut(many=True))
    def get(self, request: Request, uuid: UUID) -> Response:
        """List people and their roles."""
        return Response(MemberOut(queries.members(Project.objects.get(uuid=uuid)), many=True).data)

    @extend_schema(request=RoleIn, responses=MemberOut(many=True))
    def post(self, request: Request, uuid: UUID) -> Response:
        """Give a role."""
        return self.change(request, uuid, give=True)

    @extend_schema(request=RoleIn, responses=MemberOut(many=True))
    def delete(self, request: Request, uuid: UUID) -> Response:
        """Take a role away."""
        return self.change(request, uuid, give=False)

    def change(self, request: Request, uuid: UUID, *, give: bool) -> Response:
        """Give or take the role named in the body."""
        data = RoleIn(data=request.data)
        data.is_valid(raise_exception=True)
        project = Project.objects.get(uuid=uuid)
        user = get_object_or_404(User, uuid=data.validated_data["user"], is_active=True)
        act = actions.grant if give else actions.revoke
        act(user=user, role=Role(data.validated_data["role"]), root=project, actor=request.user)
        return self.get(request, uuid)


urlpatterns = [
    path("me/", Me.as_view(), name="api-me"),
    path("projects/", Projects.as_view(), name="api-projects"),
    path("projects/<uuid:uuid>/members/", Members.as_view(), name="api-members"),
]
