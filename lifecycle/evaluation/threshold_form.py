"""What is asked to choose an operating point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from lifecycle.engine.operating import Costs

GOALS = {"precision": "Target precision", "recall": "Target recall", "cost": "Least cost"}
GOALS_OF_ANY = {"precision": "Target accuracy", "recall": "Target share answered", "cost": "Least cost"}
HIGHEST = 1e6


class ThresholdForm(forms.Form):
    """One class against the others, or any class by confidence; a goal, and what mistakes cost. Only what the goal uses is a field.

    class: empty for any. target: of precision or recall; for any class of the accuracy of what is answered or the share that is. false,
    missed, person: costs of a row; handing over is for any class, and for one class where the goal is the least cost.
    own: the class that the model gives from a threshold on, with which the form begins, where it does.
    """

    def __init__(self, labels: Sequence[str], given: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> None:
        if own and "class" not in given:
            given = {"class": own["label"], "goal": own["by"], "target": str(own["target"]), **given}
        self.label = str(given.get("class", "")) if given.get("class") in labels else ""
        self.goal = str(given.get("goal", "")) if given.get("goal") in GOALS else "precision"
        start = {"target": "0.9", "false": "1", "missed": "1", "person": "" if self.label else "0.2"}
        super().__init__(start | dict(given.items()) | {"class": given.get("class", ""), "goal": given.get("goal", self.goal)})
        self.fields["class"] = forms.ChoiceField(
            label="Class", required=False, choices=[("", "Any: hand over what is unsure"), *((each, each) for each in labels)],
            error_messages={"invalid_choice": "Choose a class that the model knows."},
        )  # fmt: skip
        self.fields["goal"] = forms.ChoiceField(
            choices=list(GOALS.items()), widget=forms.HiddenInput,
            error_messages={"invalid_choice": f"Choose one of {', '.join(GOALS)}."},
        )  # fmt: skip
        if self.goal != "cost":
            self.fields["target"] = forms.FloatField(label=(GOALS if self.label else GOALS_OF_ANY)[self.goal], min_value=0.01, max_value=1)
        self.fields["false"] = cost("Cost of a wrong call" if self.label else "Cost of a wrong answer")
        if self.label:
            self.fields["missed"] = cost("Cost of a missed row")
        if not self.label or self.goal == "cost":
            self.fields["person"] = cost("Cost of handing over", required=not self.label)

    def unused(self, given: Mapping[str, Any]) -> list[str]:
        """Names that were given and play no part for this class and goal."""
        return sorted(set(given) - set(self.fields))

    @property
    def costs(self) -> Costs:
        """Of a valid form."""
        found = self.cleaned_data
        return Costs(found["false"], found.get("missed", 0.0), found.get("person"))


def cost(label: str, *, required: bool = True) -> forms.FloatField:
    """A cost, in any unit, as long as all are in the same."""
    return forms.FloatField(label=label, min_value=0, max_value=HIGHEST, required=required)
