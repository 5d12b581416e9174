from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password

from registry.access.actions import TOKEN_DAYS_MAX
from registry.access.models import ApiToken, User
from registry.access.roles import GOVERNING, WORKING, Role


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
    scopes = forms.MultipleChoiceField(choices=ApiToken.Scope.choices, widget=forms.CheckboxSelectMultiple)
    days = forms.IntegerField(label="Days until it expires", min_value=1, max_value=TOKEN_DAYS_MAX, initial=90)


class PersonField(forms.ModelChoiceField[User]):
    """An active person by their user name. Whom the asker may see is offered; others are found only by whoever knows the name."""

    default_error_messages = {"invalid_choice": "No active person has this user name."}

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"list": "people", "autocomplete": "off"})
        super().__init__(queryset=User.objects.filter(is_active=True), to_field_name="username", widget=widget, **kwargs)


class PasswordAgain(forms.CharField):
    """The password again; the action looks at it."""

    def __init__(self) -> None:
        widget = forms.PasswordInput(attrs={"autocomplete": "current-password"})
        super().__init__(label="Your password again", strip=False, max_length=4096, widget=widget)


class ProjectForm(forms.Form):
    """A new workspace."""

    name = forms.CharField(max_length=80)
    slug = forms.SlugField(label="Short name", max_length=50, help_text="Letters, digits and hyphens; stands in the names of files.")
    lead = PersonField(label="ML lead", help_text="User name of the first ML lead. Not yourself: who gives governing roles holds none.")
    password = PasswordAgain()


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

    def clean_password(self) -> str:
        """Held to the same rules as a password that people choose themselves."""
        password: str = self.cleaned_data["password"]
        validate_password(password)
        return password


class RoleForm(forms.Form):
    """A role for a person on a project, of those that a lead gives."""

    user = PersonField(label="User name")
    role = forms.ChoiceField(choices=[(role.value, role.label) for role in WORKING])


class GoverningForm(forms.Form):
    """A role that an organisation admin gives or takes."""

    user = PersonField(label="User name")
    role = forms.ChoiceField(choices=[(role.value, role.label) for role in Role if role in GOVERNING])
    password = PasswordAgain()


class AdminForm(forms.Form):
    """Making somebody an organisation admin, or the reverse."""

    user = PersonField(label="User name")
    password = PasswordAgain()


class ConfirmForm(forms.Form):
    """Carrying out what another admin proposed."""

    password = PasswordAgain()
