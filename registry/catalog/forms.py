"""Forms of the catalog. Rules are asked by the actions; a form checks shape alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone

from lifecycle.modeling.training.models import Run
from registry.catalog import queries, rules
from registry.catalog.models import Endpoint, ModelVersion, RegisteredModel
from registry.ground.access import policy
from registry.ground.access.models import Project, User

LONG = forms.Textarea(attrs={"rows": 4})


class ModelForm(forms.Form):
    """A new registered model."""

    project = forms.ModelChoiceField(queryset=Project.objects.none(), to_field_name="uuid", empty_label=None)
    name = forms.CharField(max_length=80)
    slug = forms.CharField(
        label="Short name",
        max_length=60,
        help_text="Lowercase letters, digits, and dashes, such as support-intent.",
    )
    purpose = forms.CharField(
        required=False,
        max_length=rules.STATED_MAX,
        widget=LONG,
        help_text="The intended use, in your own words. Shown in each version's card.",
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["project"].queryset = policy.visible_to(user, Project, "catalog.create_model")  # type: ignore[attr-defined]


class EndpointForm(forms.Form):
    """A new endpoint of a model."""

    slug = forms.CharField(
        label="Address",
        max_length=60,
        help_text="Clients call /v2/models/<project>/<address>/infer. Unique in the project.",
    )
    environment = forms.ChoiceField(
        choices=Endpoint.Environment.choices, initial=Endpoint.Environment.PRODUCTION
    )
    keep_text = forms.BooleanField(
        label="Store request texts with their predictions", required=False, initial=True
    )


class RunChoice(forms.ModelChoiceField):  # type: ignore[type-arg]  # it takes none at run time
    """Runs by number, snapshot and strategy."""

    def label_from_instance(self, obj: Any) -> str:
        """Run 12, LoRA on Inbox s3."""
        return f"Run {obj.number}, {obj.get_strategy_display()} on {obj.snapshot}"


class StatedForm(forms.Form):
    """The fields of a card that people write; blanks read: not stated."""

    purpose = forms.CharField(
        required=False,
        max_length=rules.STATED_MAX,
        widget=LONG,
        help_text="What it is for, and what it is not for.",
    )
    limits = forms.CharField(
        required=False, max_length=rules.STATED_MAX, widget=LONG, help_text="Where it fails or wasn't tested."
    )
    risks = forms.CharField(
        required=False,
        max_length=rules.STATED_MAX,
        widget=LONG,
        help_text="What a wrong prediction causes, and who notices.",
    )

    def stated(self) -> dict[str, str]:
        """The three fields alone."""
        return {name: self.cleaned_data[name] for name in rules.STATED}


class RegisterForm(StatedForm):
    """A run to be sealed as a version."""

    run = RunChoice(queryset=Run.objects.none(), to_field_name="uuid", empty_label="Choose a run")
    semver = forms.CharField(label="Version", max_length=40, help_text="Three numbers, such as 1.4.0.")
    field_order = ["run", "semver", "purpose", "limits", "risks"]

    def __init__(self, *args: Any, user: User, model: RegisteredModel, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["run"].queryset = queries.registrable_runs(user, model)  # type: ignore[attr-defined]


class CardForm(StatedForm):
    """A new revision of a card. seen: digest of the one that the author has before them."""

    seen = forms.CharField(max_length=64, widget=forms.HiddenInput)


class FreezeForm(forms.Form):
    """A stop on promotions and deployments."""

    days = forms.IntegerField(label="Days", min_value=1, max_value=rules.FREEZE_DAYS_MAX, initial=7)
    reason = forms.CharField(max_length=rules.REASON_MAX)

    def until(self) -> Any:
        """The end that the days give, counted from now."""
        return timezone.now() + timedelta(days=self.cleaned_data["days"])


class QuarantineForm(forms.Form):
    """Taking a version out of service for good; its number is typed."""

    reason = forms.CharField(max_length=rules.REASON_MAX)
    typed = forms.CharField(max_length=40)

    def __init__(self, *args: Any, version: ModelVersion, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.version = version

    def clean_typed(self) -> str:
        """The version's own number."""
        if self.cleaned_data["typed"].strip() != self.version.semver:
            raise forms.ValidationError(f"Type {self.version.semver} to confirm.")
        return self.version.semver
