from __future__ import annotations

from typing import Any

from allauth.account.forms import ResetPasswordForm, ResetPasswordKeyForm
from django import forms
from django.contrib.auth.password_validation import validate_password

from registry.access import credentials, queries
from registry.access.actions import TOKEN_DAYS_MAX
from registry.access.models import Project, User
from registry.access.roles import Role
from registry.access.scopes import Scope


class ResetForm(ResetPasswordForm):
    """Asking for a link to a new password: at an address that a person has shown to be theirs, never one that was only typed in."""

    def clean_email(self) -> str:
        """The address; `users` are those who get a link."""
        address: str = super().clean_email()
        self.users = credentials.users_to_reset(address)
        return address


class NewPasswordForm(ResetPasswordKeyForm):
    """A new password by such a link."""

    def save(self) -> None:
        """Set it, and end what the old one had opened."""
        credentials.reset_password(self.user, self.cleaned_data["password1"])


class ProfileForm(forms.ModelForm[User]):
    """A person's own settings."""

    class Meta:
        model = User
        fields = ["display_name", "theme", "single_keys"]
        help_texts = {"single_keys": "Letters and digits act without Ctrl or Alt. Switch off if you use speech input."}


class ThemeForm(forms.Form):
    """The theme alone, as the switch in the navigation sends it."""

    theme = forms.ChoiceField(choices=User.Theme.choices)


class TokenForm(forms.Form):
    """A new token."""

    name = forms.CharField(max_length=60, help_text="What uses it, such as nightly import.")
    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, f"{scope.value}: {scope.label}") for scope in Scope], widget=forms.CheckboxSelectMultiple
    )
    project = forms.ModelChoiceField(
        queryset=Project.objects.none(), to_field_name="uuid", required=False, empty_label="All projects you have a role in"
    )
    days = forms.IntegerField(label="Days until it expires", min_value=1, max_value=TOKEN_DAYS_MAX, initial=90)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["project"].queryset = queries.projects(user)  # type: ignore[attr-defined]


class ProjectForm(forms.Form):
    """A new workspace."""

    name = forms.CharField(max_length=80)
    slug = forms.SlugField(label="Short name", max_length=50, help_text="Letters, digits and hyphens; stands in the names of files.")


class PersonForm(forms.Form):
    """A new person."""

    username = forms.SlugField(label="User name", max_length=60)
    display_name = forms.CharField(label="Name", max_length=80)
    email = forms.EmailField(required=False)
    password = forms.CharField(
        label="First password",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 12 characters; pass it on safely.",
    )
    admin = forms.BooleanField(label="Organisation admin: manages people, approves nothing, sees no samples", required=False)

    def clean_password(self) -> str:
        """Held to the same rules as a password that people choose themselves."""
        password: str = self.cleaned_data["password"]
        validate_password(password)
        return password


class RoleForm(forms.Form):
    """A role for a person on a project."""

    user = forms.ModelChoiceField(label="Person", queryset=User.objects.none(), to_field_name="uuid", empty_label="Choose a person")
    role = forms.ChoiceField(choices=Role.choices)

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.project = project
        self.fields["user"].queryset = User.objects.filter(is_active=True).order_by("display_name")  # type: ignore[attr-defined]
