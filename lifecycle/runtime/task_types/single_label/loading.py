"""Code sample for single-label classification."""

from __future__ import annotations

from lifecycle.runtime.task_types.loading import Loading, of_graph

ONE = """shares = numpy.exp(scores - scores.max())
print(about["labels"][shares.argmax()], shares.max() / shares.sum())"""
FROM_A_THRESHOLD = """shares = numpy.exp(scores - scores.max())
shares = shares / shares.sum()
at = about["labels"].index(about["deciding"]["label"])
others = numpy.where(numpy.arange(len(shares)) == at, -1, shares)
chosen = at if shares[at] >= about["deciding"]["threshold"] else int(others.argmax())
print(about["labels"][chosen], shares[chosen])"""


class SingleLabelLoading(Loading):
    """The most likely label, or the one with a threshold."""

    def code(self, strategy: str, *, decides: bool) -> str:
        """Softmax and threshold."""
        return of_graph(FROM_A_THRESHOLD if decides else ONE)


ENTRY = SingleLabelLoading()
