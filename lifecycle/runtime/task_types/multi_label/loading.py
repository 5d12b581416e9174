"""How a model of any number of labels a text answers."""

from __future__ import annotations

from lifecycle.runtime.task_types.loading import Loading, of_graph

SEVERAL = """shares = 1 / (1 + numpy.exp(-scores))
print([(label, share) for label, share, least in zip(about["labels"], shares, about["thresholds"]) if share >= least])"""


class MultiLabelLoading(Loading):
    """The labels from their thresholds on."""

    def code(self, strategy: str, *, decides: bool) -> str:
        """Over a sigmoid of each."""
        return of_graph(SEVERAL)


ENTRY = MultiLabelLoading()
