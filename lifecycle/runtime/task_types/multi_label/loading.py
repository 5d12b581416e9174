"""Code sample for multi-label classification."""

from __future__ import annotations

from lifecycle.runtime.task_types.loading import Loading, of_graph

SEVERAL = """shares = 1 / (1 + numpy.exp(-scores))
print([(label, share) for label, share, least in zip(about["labels"], shares, about["thresholds"]) if share >= least])"""  # noqa: E501


class MultiLabelLoading(Loading):
    """The labels that reach their thresholds."""

    def code(self, strategy: str, *, decides: bool) -> str:
        """Sigmoid and thresholds."""
        return of_graph(SEVERAL)


ENTRY = MultiLabelLoading()
