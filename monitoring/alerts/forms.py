"""Forms of alerts: shape alone; actions ask the rules."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms

from lifecycle.ground.notices import topics
from lifecycle.ground.notices.models import Channel
from lifecycle.ground.notices.rules import ChannelKind
from lifecycle.ui.forms import filters_in
from monitoring.alerts import queries
from monitoring.alerts.models import Objective
from monitoring.alerts.rules.objectives import WINDOW_DAYS, Kind, Proposal
from monitoring.alerts.rules.state import REASON_MAX, Severity, Why
from monitoring.alerts.rules.text import STEPS
from registry.catalog.models import Endpoint
from registry.ground.access.models import Project, User
from registry.ground.access.policy import visible_to

HOURS = ((1, "1 hour"), (4, "4 hours"), (24, "1 day"), (72, "3 days"), (168, "7 days"))


class PersonChoice(forms.ModelChoiceField):  # type: ignore[type-arg]  # it takes none at run time
    """People by name."""


class ObjectiveForm(forms.Form):
    """An objective as a person writes it: percent and ms."""

    target = forms.FloatField(
        label="Target (%)",
        help_text="Share of good events, 50 to 99.99.",
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    threshold_ms = forms.FloatField(
        label="Latency threshold (ms)",
        help_text="Slower is bad. Measured on the server.",
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    window_days = forms.TypedChoiceField(
        label="Window",
        choices=[(days, f"{days} days") for days in WINDOW_DAYS],
        coerce=int,
        help_text="Period the error budget covers.",
    )
    owner = PersonChoice(
        queryset=User.objects.none(),
        to_field_name="uuid",
        required=False,
        empty_label="On-call only",
        help_text="Notified besides on-call.",
    )
    seen = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, *args: Any, kind: str, endpoint: Endpoint, **kwargs: Any) -> None:
        kwargs |= {"prefix": kind, "auto_id": "id_%s"}
        super().__init__(*args, **kwargs)
        self.fields["owner"].queryset = queries.owners(endpoint)  # type: ignore[attr-defined]
        if kind != Kind.LATENCY:
            del self.fields["threshold_ms"]

    @classmethod
    def of(
        cls, kind: str, endpoint: Endpoint, found: Objective | None, proposal: Proposal | None
    ) -> ObjectiveForm:
        """Filled with what is set, else with what is proposed."""
        given: dict[str, Any] = {"seen": 0, "window_days": WINDOW_DAYS[-1]}
        if found:
            given = {
                "target": percent(found.target),
                "threshold_ms": found.threshold_ms,
                "window_days": found.window_days,
                "owner": found.owner.uuid if found.owner else None,
                "seen": found.revision,
            }
        elif proposal:
            given |= {"target": percent(proposal.target), "threshold_ms": proposal.threshold_ms}
        return cls(kind=kind, endpoint=endpoint, initial=given)

    @property
    def values(self) -> dict[str, Any]:
        """What the action takes."""
        given = self.cleaned_data
        return {
            "target": round(given["target"] / 100, 9),
            "threshold_ms": given.get("threshold_ms"),
            "window_days": given["window_days"],
            "owner": given["owner"],
            "seen": given["seen"],
        }


def percent(share: float) -> float:
    """A share in percent, without the dust of floating point."""
    return round(100 * share, 6)


class SeenForm(forms.Form):
    """The state that the person saw."""

    seen = forms.CharField(max_length=12, required=False)


class ResolveForm(SeenForm):
    """What was found."""

    reason = forms.CharField(max_length=REASON_MAX, required=False)


class SwitchForm(forms.Form):
    """On or off, and the revision that the person saw."""

    seen = forms.IntegerField(min_value=0)
    on = forms.BooleanField(required=False)


class SilenceForm(forms.Form):
    """No messages about what, until when, and why."""

    where = forms.ChoiceField(label="Scope")
    source = forms.ChoiceField(
        label="Alerts",
        required=False,
        choices=[("", "All"), *((name, name.replace("_", " ").capitalize()) for name in STEPS)],
    )
    hours = forms.TypedChoiceField(label="For", choices=HOURS, coerce=int)
    reason = forms.CharField(
        max_length=REASON_MAX, help_text="Shown to anyone who wonders why they weren't notified."
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = Endpoint.objects.select_related("model__project")
        self.endpoints = {
            f"endpoint:{row.uuid}": row
            for row in visible_to(user, rows, "alerts.silence").order_by("slug", "pk")[:200]
        }
        self.projects = {f"project:{row.uuid}": row for row in queries.projects(user, "alerts.silence")}
        self.fields["where"].choices = [  # type: ignore[attr-defined]
            ("Endpoints", [(key, row.full_name) for key, row in self.endpoints.items()]),
            ("Whole projects", [(key, f"All of {row.name}") for key, row in self.projects.items()]),
        ]

    @property
    def place(self) -> tuple[Project, Endpoint | None]:
        """The project and, if it is about one, the endpoint."""
        where = self.cleaned_data["where"]
        endpoint = self.endpoints.get(where)
        return (endpoint.model.project, endpoint) if endpoint else (self.projects[where], None)

    @property
    def length(self) -> timedelta:
        """How long."""
        return timedelta(hours=self.cleaned_data["hours"])


class ChannelForm(forms.Form):
    """A new way out."""

    project = forms.ModelChoiceField(queryset=Project.objects.none(), to_field_name="uuid", empty_label=None)
    kind = forms.ChoiceField(choices=ChannelKind.choices)
    name = forms.CharField(max_length=Channel._meta.get_field("name").max_length)
    address = forms.CharField(
        max_length=1000, help_text="Comma-separated e-mail addresses, or an https:// URL."
    )
    wants = forms.MultipleChoiceField(
        label="Receives", choices=topics.choices, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["project"].queryset = visible_to(user, Project, "alerts.manage").order_by("name")  # type: ignore[attr-defined]


class FilterForm(forms.Form):
    """Which alerts of the past."""

    severity = forms.ChoiceField(required=False, choices=[("", "All"), *Severity.choices])
    source = forms.ChoiceField(required=False)
    endpoint = forms.ChoiceField(required=False)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(
            self.fields["source"],
            [(name, name.replace("_", " ").capitalize()) for name in queries.sources(user)],
        )
        choose(self.fields["endpoint"], [(str(row.uuid), row.full_name) for row in queries.endpoints(user)])

    @property
    def filters(self) -> queries.Filters:
        """What was chosen. Raises Unreadable."""
        return queries.Filters(**filters_in(self))


class SuppressedForm(forms.Form):
    """Which lines of the log."""

    why = forms.ChoiceField(
        label="Reason",
        required=False,
        choices=[("", "All"), *((each.value, each.label) for each in Why if each.value)],
    )
    endpoint = forms.ChoiceField(required=False)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(self.fields["endpoint"], [(str(row.uuid), row.full_name) for row in queries.endpoints(user)])


def choose(field: forms.Field, choices: list[tuple[str, str]]) -> None:
    """Any of these, or all."""
    field.choices = [("", "All"), *choices]  # type: ignore[attr-defined]
