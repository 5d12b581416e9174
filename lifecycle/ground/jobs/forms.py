"""Forms of this room."""

from __future__ import annotations

from collections.abc import Mapping

from django import forms

from lifecycle.ground.jobs.rules import PRIORITY_WORDS, Priority
from lifecycle.runtime.refusals import Refused


class PriorityForm(forms.Form):
    """priority: the new one of a queued job. seen: the one on the page."""

    priority = forms.ChoiceField(choices=PRIORITY_WORDS)
    seen = forms.ChoiceField(choices=PRIORITY_WORDS, required=False)


def read_priority(given: Mapping[str, str]) -> tuple[Priority, Priority | None]:
    """The new priority, and the one on the page. Raises Refused where a form names none."""
    form = PriorityForm(given)
    if not form.is_valid():
        words = ", ".join(word for word, _ in PRIORITY_WORDS)
        raise Refused(
            f"The priority must be one of {words}.",
            next_step="Reload the page.",
            fields={"priority": [f"Choose one of {words}."]},
        )
    seen = form.cleaned_data["seen"]
    return Priority.of(form.cleaned_data["priority"]), Priority.of(seen) if seen else None
