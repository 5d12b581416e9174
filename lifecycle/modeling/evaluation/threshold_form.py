"""The form of an operating point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from lifecycle.modeling.evaluation.threshold_words import GOALS, Thresholds
from lifecycle.runtime.statistics.operating.choices import Costs

HIGHEST = 1e6


class ThresholdForm(forms.Form):
    """A class of an evaluation, or any; a goal, and the costs of errors. Only what the question and the goal
    use is a field.

    label: empty for any; required in multi-label. target: of precision or recall; for any label, of accuracy
    or coverage. false, missed, person: costs per row or span; handing over is for any label, and for least
    cost. thresholds: of the task. begin: initial values if no label is given.
    """

    def __init__(
        self,
        thresholds: Thresholds,
        report: Mapping[str, Any],
        given: Mapping[str, Any],
        begin: Mapping[str, str] | None = None,
    ) -> None:
        labels, every = report["confusion"]["labels"], thresholds.every
        if begin and "label" not in given:
            given = {**begin, **given}
        self.label = str(given.get("label", "")) if given.get("label") in labels else ""
        self.goal = str(given.get("goal", "")) if given.get("goal") in GOALS else "precision"
        self.question = thresholds.question(self.label)
        divides = self.question.divides
        start = {"target": "0.9", "false": "1", "missed": "1", "person": "" if divides else "0.2"}
        super().__init__(
            start
            | dict(given.items())
            | {
                "label": given.get("label", ""),
                "goal": given.get("goal", self.goal),
            }
        )
        self.fields["label"] = forms.ChoiceField(
            label="Label",
            required=not every,
            choices=[*([("", every)] if every else []), *((each, each) for each in labels)],
            error_messages={
                "invalid_choice": "Choose a label that the model knows.",
                "required": "Choose a label: texts can have several, and each has its own threshold.",
            },
        )
        self.fields["goal"] = forms.ChoiceField(
            choices=list(GOALS.items()),
            widget=forms.HiddenInput,
            error_messages={"invalid_choice": f"Choose one of {', '.join(GOALS)}."},
        )
        if self.goal != "cost":
            self.fields["target"] = forms.FloatField(
                label=self.question.goals[self.goal], min_value=0.01, max_value=1
            )
        self.fields["false"] = cost(self.question.false)
        if divides:
            self.fields["missed"] = cost(self.question.missed)
        if not divides or self.goal == "cost":
            self.fields["person"] = cost("Cost of hand-over", required=not divides)

    def unused(self, given: Mapping[str, Any]) -> list[str]:
        """Names that were given but aren't used for this label and goal."""
        return sorted(set(given) - set(self.fields))

    @property
    def costs(self) -> Costs:
        """The costs in a valid form."""
        found = self.cleaned_data
        return Costs(found["false"], found.get("missed", 0.0), found.get("person"))


def cost(label: str, *, required: bool = True) -> forms.FloatField:
    """A cost field, in any unit shared by all costs."""
    return forms.FloatField(label=label, min_value=0, max_value=HIGHEST, required=required)
