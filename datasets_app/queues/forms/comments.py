"""What people write to each other about items, and which of it a page shows."""

from __future__ import annotations

from django import forms

from datasets_app.queues.queries.comments import Wanted
from lifecycle.ui.forms import filters_in

PAGES = [("bench", "bench"), ("review", "review"), ("comments", "comments")]


class CommentForm(forms.Form):
    """One comment or answer. start, end, quote: the passage that it is about. back: the page that sent it; at: what that page showed."""

    item = forms.UUIDField()
    text = forms.CharField(required=False, max_length=2000, strip=True)
    reply_to = forms.UUIDField(required=False)
    start = forms.IntegerField(required=False, min_value=0)
    end = forms.IntegerField(required=False, min_value=0)
    quote = forms.CharField(required=False, strip=False)
    back = forms.ChoiceField(required=False, choices=PAGES)
    at = forms.CharField(required=False, max_length=500)


class ResolveForm(forms.Form):
    """A conversation that is settled, or open again."""

    comment = forms.UUIDField()
    on = forms.ChoiceField(required=False, choices=[("yes", "yes"), ("no", "no")])
    back = forms.ChoiceField(required=False, choices=PAGES)
    at = forms.CharField(required=False, max_length=500)


class WantedForm(forms.Form):
    """Which conversations of a queue are shown."""

    state = forms.ChoiceField(required=False, choices=[("", "Open first"), ("open", "Open"), ("resolved", "Resolved")])
    flags = forms.BooleanField(required=False, label="Flags")
    mine = forms.BooleanField(required=False, label="Mine")
    mentioning = forms.BooleanField(required=False, label="Mentioning me")
    item = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def wanted(self) -> Wanted:
        """What it asks for. Raises Unreadable."""
        return Wanted(**filters_in(self))
