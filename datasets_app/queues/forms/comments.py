"""Forms of comments and comment filters."""

from __future__ import annotations

from django import forms

from datasets_app.queues.queries.comments import ThreadFilter
from lifecycle.ui.forms import filters_in

PAGES = [("bench", "bench"), ("review", "review"), ("comments", "comments")]


class CommentForm(forms.Form):
    """One comment or reply. start, end, quote: the passage it's about. back: the page that sent it; at: that
    page's query string.
    """

    item = forms.UUIDField()
    text = forms.CharField(required=False, max_length=2000, strip=True)
    reply_to = forms.UUIDField(required=False)
    start = forms.IntegerField(required=False, min_value=0)
    end = forms.IntegerField(required=False, min_value=0)
    quote = forms.CharField(required=False, strip=False)
    back = forms.ChoiceField(required=False, choices=PAGES)
    at = forms.CharField(required=False, max_length=500)


class ResolveForm(forms.Form):
    """A thread to resolve or reopen."""

    comment = forms.UUIDField()
    on = forms.ChoiceField(required=False, choices=[("yes", "yes"), ("no", "no")])
    back = forms.ChoiceField(required=False, choices=PAGES)
    at = forms.CharField(required=False, max_length=500)


class ThreadFilterForm(forms.Form):
    """Filters of a queue's threads."""

    state = forms.ChoiceField(
        required=False, choices=[("", "Open first"), ("open", "Open"), ("resolved", "Resolved")]
    )
    flags = forms.BooleanField(required=False, label="Flags")
    mine = forms.BooleanField(required=False, label="Mine")
    mentioning = forms.BooleanField(required=False, label="Mentioning me")
    item = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def wanted(self) -> ThreadFilter:
        """The filters. Raises Unreadable."""
        return ThreadFilter(**filters_in(self))
