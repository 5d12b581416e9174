from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms

from lifecycle.ui.forms import filters_in
from registry.audit import queries
from registry.ground.access.models import User
from registry.ground.ledger.verbs import Verb


class FilterForm(forms.Form):
    """The filter of the audit log, sent by GET."""

    text = forms.CharField(label="Name, ID, or digest", required=False, max_length=200)
    room = forms.ChoiceField(label="Area", required=False)
    verb = forms.ChoiceField(
        label="Action",
        required=False,
        choices=[("", "All"), *((v.value, v.label.capitalize()) for v in Verb)],
    )
    project = forms.ChoiceField(label="Project", required=False)
    since = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label="To", required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["room"].choices = [("", "All"), *((room, room.capitalize()) for room in queries.rooms())]  # type: ignore[attr-defined]
        self.fields["project"].choices = [  # type: ignore[attr-defined]
            ("", "All"),
            *((str(p.uuid), p.name) for p in queries.projects(user)),
        ]

    def filters(self) -> queries.Filters:
        """What was asked for; the day `until` is included. Raises Unreadable."""
        data = filters_in(self)
        until = data.get("until")
        return queries.Filters(
            text=(data.get("text") or "").strip(),
            verb=data.get("verb") or "",
            room=data.get("room") or "",
            project=data.get("project") or None,
            since=midnight(data.get("since")),
            until=midnight(until + timedelta(days=1)) if until else None,
        )


def midnight(day: Any) -> datetime | None:
    """The beginning of a day, UTC."""
    return datetime.combine(day, time.min, tzinfo=UTC) if day else None
