from __future__ import annotations

from typing import Any

from allauth.account.forms import ResetPasswordForm, ResetPasswordKeyForm
from django import forms
from django.contrib.auth.password_validation import validate_password

from registry.ground.access import credentials, queries
from registry.ground.access.actions import TOKEN_DAYS_MAX
from registry.ground.access.models import Project, User
from registry.ground.access.roles import GOVERNING, WORKING, Role
from registry.ground.access.scopes import Scope


class ResetForm(ResetPasswordForm):
    """Asking for a link to a new password: at an address that a person has shown to be theirs, never one that
    was only typed in.
    """

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
        help_texts = {
            "single_keys": "Letters and digits work without Ctrl or Alt. Turn off if you use speech input."
        }


class ThemeForm(forms.Form):
    """The theme alone, as the switch in the navigation sends it."""

    theme = forms.ChoiceField(choices=User.Theme.choices)


class TokenForm(forms.Form):
    """A new token."""

    name = forms.CharField(max_length=60, help_text="What the token is for, such as nightly import.")
    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, f"{scope.value}: {scope.label}") for scope in Scope],
        widget=forms.CheckboxSelectMultiple,
    )
    project = forms.ModelChoiceField(
        queryset=Project.objects.none(),
        to_field_name="uuid",
        required=False,
        empty_label="All projects you have a role in",
    )
    days = forms.IntegerField(
        label="Days until it expires", min_value=1, max_value=TOKEN_DAYS_MAX, initial=90
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["project"].queryset = queries.projects(user)  # type: ignore[attr-defined]


class PersonField(forms.ModelChoiceField[User]):
    """An active person by their user name. Whom the asker may see is offered; others are found only by anyone
    who knows the name.
    """

    default_error_messages = {"invalid_choice": "No active person has this username."}

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"list": "people", "autocomplete": "off"})
        super().__init__(
            queryset=User.objects.filter(is_active=True), to_field_name="username", widget=widget, **kwargs
        )


class StepUpForm(forms.Form):
    """The password again, and a code from who has an authenticator app; the action looks at them. Fields of a
    subclass are before.
    """

    password = forms.CharField(
        label="Your password",
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    code = forms.CharField(
        label="Authenticator code, if you have set one up",
        max_length=20,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields([name for name in self.fields if name not in StepUpForm.base_fields])


class ProjectForm(StepUpForm):
    """A new workspace. creator: who makes it, and does not lead it."""

    name = forms.CharField(max_length=80)
    slug = forms.SlugField(
        label="Short name", max_length=50, help_text="Letters, digits, and hyphens; used in file names."
    )
    lead = PersonField(label="ML lead", help_text="Username of the first ML lead. You can't choose yourself.")

    def __init__(self, *args: Any, creator: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.creator = creator

    def clean_lead(self) -> User:
        """Another person than the creator."""
        lead: User = self.cleaned_data["lead"]
        if lead == self.creator:
            raise forms.ValidationError("Choose someone else.")
        return lead


class PersonForm(StepUpForm):
    """A new person."""

    username = forms.SlugField(label="Username", max_length=60)
    display_name = forms.CharField(label="Name", max_length=80)
    email = forms.EmailField(required=False)
    first_password = forms.CharField(
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 12 characters. Share it securely.",
    )

    def clean_first_password(self) -> str:
        """Held to the same rules as a password that people choose themselves."""
        password: str = self.cleaned_data["first_password"]
        validate_password(password)
        return password


class RoleForm(forms.Form):
    """A role for a person on a project, of those that a lead gives."""

    user = PersonField(label="Username")
    role = forms.ChoiceField(choices=[(role.value, role.label) for role in WORKING])


class GoverningForm(StepUpForm):
    """A role that an organisation admin gives or takes."""

    user = PersonField(label="Username")
    role = forms.ChoiceField(choices=[(role.value, role.label) for role in Role if role in GOVERNING])


class AdminForm(StepUpForm):
    """Making someone an organisation admin, or the reverse. gives: of the button that was pressed."""

    user = PersonField(label="Username")
    gives = forms.ChoiceField(choices=[("1", "make"), ("0", "dismiss")], widget=forms.HiddenInput)


class ConfirmForm(StepUpForm):
    """Carrying out what another admin proposed."""
