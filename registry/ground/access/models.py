from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.db.models import Q
from guardian.models import GroupObjectPermissionBase

from registry.ground.access import names
from registry.ground.access.roles import ADMIN, GOVERNING_CHOICES, PERMISSIONS
from registry.ground.access.scopes import Scope

PLACEHOLDER = "imported:"  # no name of an account holds a colon


class Accounts(UserManager["User"]):
    """Makes accounts, each with the key of its user name, by which a display name that reads the same is
    refused.
    """

    use_in_migrations = False

    def create_user(
        self, username: str, email: str | None = None, password: str | None = None, **more: Any
    ) -> User:
        """As Django does, with the key."""
        return super().create_user(username, email, password, **{"username_key": names.key(username), **more})

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **more: Any
    ) -> User:
        """As Django does, with the key."""
        return super().create_superuser(
            username, email, password, **{"username_key": names.key(username), **more}
        )


class User(AbstractUser):
    """A person who signs in. Roles come from grants on projects, never from is_staff or is_superuser."""

    class Theme(models.TextChoices):
        SYSTEM = "system", "As the system"
        LIGHT = "light", "Light"
        DARK = "dark", "Dark"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    display_name = models.CharField(max_length=80, blank=True)
    name_key = models.CharField(
        max_length=400, blank=True, editable=False, help_text="how the name reads: no two accounts share one"
    )
    username_key = models.CharField(
        max_length=400, blank=True, editable=False, db_index=True, help_text="normalised user name; unique"
    )
    is_organisation_admin = models.BooleanField(
        default=False, help_text="Manages people and projects; approves nothing, sees no samples."
    )
    theme = models.CharField(max_length=8, choices=Theme.choices, default=Theme.SYSTEM)
    single_keys = models.BooleanField("single-key shortcuts", default=True)

    # Of a request with an API token: which, as its events say, and the key of the only project that it opens,
    # which `policy` reads.
    by_token: UUID | None = None
    limited_to: int | None = None

    objects = Accounts()  # type: ignore[misc]  # a class variable of the base

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["name_key"], condition=~models.Q(name_key=""), name="one_person_a_name"
            )
        ]

    def __str__(self) -> str:
        return self.display_name or self.get_full_name() or self.username

    @property
    def is_placeholder(self) -> bool:
        """Whether it represents someone without an account, the author of imported work. first_name: their
        name in the file.
        """
        return self.username.startswith(PLACEHOLDER)


class Project(models.Model):
    """A workspace: the root of everything a team shares, and of its roles. Its slug is part of the addresses
    of endpoints, and stays.
    """

    append_only = True
    changeable = ("name", "is_demo")
    project_path = "pk"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    slug = models.SlugField(max_length=50, unique=True)
    name = models.CharField(max_length=80)
    created_at = models.DateTimeField(auto_now_add=True)
    is_demo = models.BooleanField(default=False)

    class Meta:
        permissions = PERMISSIONS

    def __str__(self) -> str:
        return self.name


class ProjectGrant(GroupObjectPermissionBase):
    """A role, as a permission of a group on one project."""

    content_object = models.ForeignKey(Project, on_delete=models.CASCADE)

    class Meta(GroupObjectPermissionBase.Meta):
        abstract = False


class RoleProposal(models.Model):
    """What one organisation admin wants of a governing role, until another confirms it. Closed ones stay as
    they ended.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        CONFIRMED = "confirmed", "Confirmed"
        REJECTED = "rejected", "Rejected"
        WITHDRAWN = "withdrawn", "Withdrawn"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    project = models.ForeignKey(
        Project,
        null=True,
        on_delete=models.CASCADE,
        related_name="role_proposals",
        help_text="null: organisation",
    )
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="role_proposals"
    )
    role = models.CharField(max_length=12, choices=GOVERNING_CHOICES)
    gives = models.BooleanField(help_text="false: takes the role away")
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(role=ADMIN, project__isnull=True) | (~Q(role=ADMIN) & Q(project__isnull=False)),
                name="admin_of_no_project",
            ),
            models.UniqueConstraint(
                fields=["project", "person", "role"], condition=Q(state="open"), name="one_open_role_proposal"
            ),
            models.UniqueConstraint(
                fields=["person"],
                condition=Q(state="open", project__isnull=True),
                name="one_open_admin_proposal",
            ),
        ]

    def __str__(self) -> str:
        return f"{'give' if self.gives else 'take away'} {self.get_role_display()}: {self.person}"


class ApiToken(models.Model):
    """A secret for programs, kept only as its hash. It acts for its user, within its scopes, until it expires
    or is revoked.

    project: the only one that it opens, where it is limited to one.
    """

    Scope = Scope

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=60)
    digest = models.CharField(max_length=64, unique=True, help_text="sha256 of the secret, in hex")
    scopes = models.JSONField(default=list)
    project = models.ForeignKey(Project, null=True, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name
