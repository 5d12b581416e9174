"""Forms of the review page."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.http import QueryDict

from datasets_app.queues.forms.answers import ValueForm
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.task_types.by_key import typed
from datasets_app.schemas.queries.labels import labels_by_name
from lifecycle.runtime.task_types.values import labels_of, rename


class AdjudicateForm(ValueForm):
    """An adjudicator's label: an annotation or another label. A typed label takes precedence over the
    clicked button or the fields.
    """

    item = forms.UUIDField()
    other = forms.CharField(required=False, max_length=120)
    reason = forms.CharField(required=False, max_length=1000)
    gold = forms.BooleanField(required=False)
    seen = forms.CharField(required=False, max_length=64)
    order = forms.CharField(required=False, max_length=10)

    def __init__(self, queue: Queue, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.queue = queue

    def clean(self) -> dict[str, Any]:
        """Require a value. A typed label is looked up by name."""
        data = super().clean()
        if (own := typed(cast(QueryDict, self.data))) is not None:
            ids = {name: str(label.uuid) for name, label in labels_by_name(self.queue.schema).items()}
            data["annotation"] = rename(own, ids)
            if data["annotation"] is None:
                self.add_error("other", f"Unknown label: {', '.join(map(repr, labels_of(own)))}.")
        elif "value" in self.data:
            data["annotation"] = data.get("value")
        if data["annotation"] is None and not self.errors:
            self.add_error("value", "Choose an annotation or another label.")
        return data


class ReturnForm(forms.Form):
    """An item to return to its annotators."""

    item = forms.UUIDField()
    comment = forms.CharField(max_length=2000, error_messages={"required": "Describe what to check."})
    seen = forms.CharField(required=False, max_length=64)
    order = forms.CharField(required=False, max_length=10)
