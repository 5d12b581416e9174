"""Forms of promotions. Rules are asked by the actions; a form checks shape alone."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet

from registry.access.models import User
from registry.catalog import queries as catalog
from registry.catalog.models import Endpoint, ModelVersion
from registry.promotions.rules import REASON_MAX


class VersionChoice(forms.ModelChoiceField):  # type: ignore[type-arg]  # it takes none at run time
    """Versions by model and number."""

    def label_from_instance(self, obj: Any) -> str:
        """Model and semver."""
        return f"{obj.model} {obj.semver}"


class RequestForm(forms.Form):
    """A new request."""

    version = VersionChoice(queryset=ModelVersion.objects.none(), to_field_name="uuid", empty_label="Choose a version")
    endpoint = forms.ModelChoiceField(queryset=Endpoint.objects.none(), to_field_name="uuid", empty_label="Choose an endpoint")
    note = forms.CharField(
        required=False,
        max_length=REASON_MAX,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="What is better, and what reviewers should look at.",
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        versions: QuerySet[ModelVersion] = catalog.versions(user).filter(state=ModelVersion.State.ACTIVE)
        self.fields["version"].queryset = versions  # type: ignore[attr-defined]
        self.fields["endpoint"].queryset = catalog.endpoints(user)  # type: ignore[attr-defined]


class DecisionForm(forms.Form):
    """A verdict: reason and password are asked again by the action; `seen` is what the reviewer had before them."""

    seen = forms.CharField(max_length=64, widget=forms.HiddenInput)
    reason = forms.CharField(
        max_length=REASON_MAX, widget=forms.Textarea(attrs={"rows": 3}), help_text="Required. Stored with your decision, cannot be edited."
    )
    password = forms.CharField(
        label="Your password again", strip=False, max_length=4096, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )
    code = forms.CharField(
        label="Code of your authenticator app",
        required=False,  # the action asks for it, of who has an app
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


class ApprovalForm(DecisionForm):
    """An approval also says what it consents to."""

    consent = forms.BooleanField(label="I have read the gates and what changes, and took no part in making this version")


class WithdrawForm(forms.Form):
    """Ending a request."""

    reason = forms.CharField(max_length=REASON_MAX)


class CommentForm(forms.Form):
    """A comment."""

    text = forms.CharField(
        label="Comment",
        max_length=REASON_MAX,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Visible to everyone who sees this request.",
    )
