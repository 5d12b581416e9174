"""Code sample for regression."""

from __future__ import annotations

from lifecycle.runtime.task_types.loading import Loading, of_graph
from tests.task_types.regression.answers import HIGH, LOW


class NumberLoading(Loading):
    """The graph's output, clipped to the range."""

    def code(self, strategy: str, *, decides: bool) -> str:
        """For one text."""
        return of_graph(f"print(float(scores[0].clip({LOW:g}, {HIGH:g})))")


ENTRY = NumberLoading()
