"""Preferences: the better of two responses."""

from lifecycle.runtime.task_types.preference.answers import PreferenceAnswers
from lifecycle.runtime.task_types.task_type import Content, TaskType

ENTRY = TaskType(
    key="preference",
    title="Preference",
    asks="the better of two responses",
    answers=PreferenceAnswers(),
    has_confidence=True,
    content=Content.RESPONSES,
    gives="rankings",
    hub_tag="text-ranking",
)
