"""Regression: one number per text."""

from lifecycle.runtime.task_types.task_type import TaskType
from tests.task_types.regression.answers import NumberAnswers

ENTRY = TaskType(
    key="regression",
    title="Regression",
    asks="Give a text a number from 0 to 10.",
    answers=NumberAnswers(),
    has_gold=False,  # numbers are close or far, not right or wrong
    prelabels=True,
    gives="numbers",
    hub_tag="text-classification",  # the Hub files regression under it
)
