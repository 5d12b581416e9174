"""Rankings of two to five responses."""

from lifecycle.runtime.task_types.ranking.answers import RankingAnswers
from lifecycle.runtime.task_types.task_type import Content, TaskType

ENTRY = TaskType(
    key="ranking",
    title="Ranking",
    asks="two to five responses, best to worst",
    answers=RankingAnswers(),
    has_confidence=True,
    content=Content.RESPONSES,
    gives="rankings",
    hub_tag="text-ranking",
)
