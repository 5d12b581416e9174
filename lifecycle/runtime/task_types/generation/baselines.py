"""Baselines of text generation: the completion of the most similar training prompt (cosine of word TF-IDF),
and the most frequent training completion. The base before fine-tuning gets the same prompts and needs no
fitting.
"""

from __future__ import annotations

from collections import Counter

from sklearn.feature_extraction.text import TfidfVectorizer

from lifecycle.runtime.task_types.baselines import Answer
from lifecycle.runtime.task_types.generation.measures import ScoredTexts, score_texts
from lifecycle.runtime.task_types.rows import Rows, Vectors

WORDS = r"(?u)\b\w+\b"  # including single letters
ROWS_AT_ONCE = 256  # batch size of the similarity to all training prompts


def learn(train: Rows, classes: int, seed: int, vectors: Vectors | None) -> dict[str, Answer]:
    """Each baseline by name. Targets have an answer and a context."""
    return {
        "nearest": lambda rows: scored(nearest(train, rows), rows),
        "frequent": lambda rows: scored([frequent(train)] * len(rows), rows),
    }


def scored(answers: list[str], rows: Rows) -> ScoredTexts:
    """Score against the references."""
    return score_texts(
        answers, [each.answer for each in rows.targets], [each.context for each in rows.targets]
    )


def nearest(train: Rows, rows: Rows) -> list[str]:
    """For each row, the completion of the training prompt with the highest TF-IDF cosine; ties go to the
    first.
    """
    vectors = TfidfVectorizer(sublinear_tf=True, token_pattern=WORDS)
    try:
        known = vectors.fit_transform(train.texts)
    except ValueError:  # no prompt has a word
        return [frequent(train)] * len(rows)
    asked, answers = vectors.transform(rows.texts), []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        best = (asked[start : start + ROWS_AT_ONCE] @ known.T).toarray().argmax(axis=1)
        answers += [train.targets[int(at)].answer for at in best]
    return answers


def frequent(train: Rows) -> str:
    """The most frequent training completion; ties go to the first."""
    return str(Counter(each.answer for each in train.targets).most_common(1)[0][0])


ENTRY = learn
