"""Code sample for span prediction."""

from __future__ import annotations

from lifecycle.runtime.task_types.loading import Loading, of_graph
from lifecycle.runtime.task_types.spans.tagging import CLOSING, OPENING

# Same as `tagging.inner_places` and `tagging.places`: the numbers and places of tokens with their own tag.
UNITS_OF_TEXTS = (
    f"import re\nimport unicodedata\n\nopening, closing = {OPENING!r}, {CLOSING!r}\n"
    """
def inner_places(text, unit):
    if unit == "word":
        of_word = [letter.isalnum() or unicodedata.category(letter)[0] == "M" for letter in text]
        return [False, *(a and b for a, b in zip(of_word, of_word[1:])), False]
    inner = [False] * (len(text) + 1)
    for run in re.finditer(r"\\S+", text):
        start = run.end() - len(run[0].lstrip(opening))
        end = run.start() + len(run[0].rstrip(closing))
        inner[start + 1 : end] = [True] * max(0, end - start - 1)
    return inner

def tagged(text, offsets, special, unit):
    at, where, inner = [], [], inner_places(text, unit)
    for i, (start, end) in enumerate(offsets):
        if special[i] or not text[start:end].strip():
            continue
        end = start + len(text[start:end].rstrip())  # some tokenizers include adjacent white space
        start = end - len(text[start:end].lstrip())
        last = where[-1][1] if unit and where else 0
        if last and all(inner[last : start + 1]):
            where[-1][1] = max(last, end)  # the first piece of a unit predicts its tag
        else:
            at.append(i)
            where.append([start, end])
    return at, where

"""
)
MARKS = (
    UNITS_OF_TEXTS
    + """kept, where = tagged(text, encoded.offsets, encoded.special_tokens_mask, about.get("unit"))
best, came, spans = None, [], []
for row in scores[kept].astype(float):  # the most likely valid tags: a span continues only after its start
    if best is None:
        best = [score if tag % 2 or not tag else -numpy.inf for tag, score in enumerate(row)]
        continue
    top = int(numpy.argmax(best))
    before = [top if tag % 2 or not tag else (tag if best[tag] >= best[tag - 1] else tag - 1) for tag in range(len(row))]
    best = [best[last] + score for last, score in zip(before, row)]
    came.append(before)
tags = [int(numpy.argmax(best))] if kept else []
for before in reversed(came):
    tags.append(before[tags[-1]])
for (start, end), tag in zip(where, reversed(tags)):
    if tag % 2:
        spans.append([start, end, about["labels"][tag // 2]])
    elif tag:
        spans[-1][1] = end
print(spans)"""  # noqa: E501
)


class SpanLoading(Loading):
    """The spans of the most likely tags."""

    def code(self, strategy: str, *, decides: bool) -> str:
        """Viterbi decoding of the tokens' tags."""
        return of_graph(MARKS)


ENTRY = SpanLoading()
