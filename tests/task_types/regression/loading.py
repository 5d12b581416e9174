"""How a model of numbers answers."""

from __future__ import annotations

from lifecycle.runtime.task_types.loading import Loading, of_graph
from tests.task_types.regression.answers import HIGH, LOW


class NumberLoading(Loading):
    """The graph's one output, within the range."""

    def code(self, strategy: str, *, decides: bool) -> str:
        """Of one text."""
        return of_graph(f"print(float(scores[0].clip({LOW:g}, {HIGH:g})))")


ENTRY = NumberLoading()
