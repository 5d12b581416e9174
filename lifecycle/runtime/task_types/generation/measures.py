"""Scores of generated responses against references, with bootstrap intervals and the paired comparison over
rows.

perplexity      e to the mean token loss of the references, including each end-of-text token: longer rows
                count more (Jelinek et al. 1977). Two models are comparable if they tokenize alike.
loss            its logarithm, in nats per token
exact_match, token_f1, rouge_1, rouge_2, rouge_l     means over rows of the scores in `words`, 0 to 1
chrf, bleu      over the whole corpus, 0 to 100, by sacrebleu with its defaults (Popović 2015; Papineni et al.
                2002, Post 2018)
groundedness    mean over the rows with a context, as in `words.groundedness`
repetition      mean over rows, as in `words.repetition`
refusals        share of rows, as in `words.is_refusal`
answer_words, empty_answers, length_ratio            mean number of words per response, share of empty ones,
                                                     total words of responses divided by total words of
                                                     references
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.statistics import bootstrap, comparisons, metrics, words
from lifecycle.runtime.statistics.metrics import ByClass, Countable, Floats, Ints
from lifecycle.runtime.task_types.generation import verbatim
from lifecycle.runtime.task_types.measures import Measures, Metric, Metrics, chosen

ROUGE_L = Metric(
    "rouge_l", "ROUGE-L", meaning="F1 of the longest common subsequence of words", hub="rouge", is_share=True
)
PERPLEXITY = Metric(
    "perplexity",
    "Perplexity",
    meaning="of all reference tokens",
    digits=2,
    hub="perplexity",
    lower_is_better=True,
)
SCORES = ("rouge_l", "token_f1", "exact_match", "chrf", "bleu", "groundedness", "perplexity")
MANNER = ("repetition", "refusals")
METRICS = Metrics(
    known=(
        ROUGE_L,
        Metric("rouge_1", "ROUGE-1", is_share=True),
        Metric("rouge_2", "ROUGE-2", is_share=True),
        Metric(
            "token_f1",
            "Token F1",
            meaning="F1 of shared words, ignoring case, punctuation, and articles",
            is_share=True,
        ),
        Metric(
            "exact_match",
            "Exact match",
            meaning="with the same normalisation",
            hub="exact_match",
            is_share=True,
        ),
        Metric(
            "chrf",
            "chrF",
            meaning="character n-grams up to 6, over the whole split, 0 to 100",
            digits=1,
            hub="chrf",
        ),
        Metric(
            "bleu",
            "BLEU",
            meaning="word n-grams up to 4, over the whole split, 0 to 100",
            digits=1,
            hub="bleu",
        ),
        Metric(
            "groundedness",
            "Groundedness",
            meaning="share of a response's content words that occur in its context",
            is_share=True,
        ),
        PERPLEXITY,
        Metric("loss", "Loss per token", meaning="nats", lower_is_better=True),
        Metric("answer_words", "Words per response", digits=1),
        Metric("length_ratio", "Length ratio to references", digits=2),
        Metric("empty_answers", "Empty responses", lower_is_better=True, is_share=True),
        Metric(
            "repetition",
            "Repetition",
            meaning="share of a response's four-word sequences that already occurred in it",
            lower_is_better=True,
            is_share=True,
        ),
        Metric(
            "refusals",
            "Refusals",
            meaning="share of responses whose first 40 words decline to answer, found by English phrases",
            lower_is_better=True,
            is_share=True,
        ),
    ),
    leading=ROUGE_L,  # of generated responses, which training doesn't produce
    trained=Metric("validation_loss", "Validation loss", lower_is_better=True),
    listed=PERPLEXITY,  # e to the loss, so it ranks runs identically
    strip=("rouge_l", "token_f1", "exact_match", "groundedness", "perplexity"),
    beside=SCORES,
    compared=(*SCORES, "empty_answers", *MANNER),
    watched=("perplexity",),
    drawn=("perplexity",),
    registered=(*SCORES, "empty_answers", *MANNER),
)
BASELINES = {
    "prompted_base": "Base before fine-tuning, same prompt",
    "nearest": "Response to the most similar training prompt",
    "frequent": "Most frequent training response",
}
CHRF_ORDERS = 6  # characters, sacrebleu's default
BETA = 2  # chrF2: recall has twice the weight


@dataclass(frozen=True)
class ScoredTexts:
    """Rows ready for scoring, all (N,) except bleu (N, 10) and chrf (N, 18), sacrebleu's segment statistics.

    nats, tokens: of the references under the model; NaN if it gives no probabilities. grounded: NaN if
    undefined. repeated: 0 to 1; refused: 0 or 1.
    """

    nats: Floats
    tokens: Floats
    exact: Floats
    f1: Floats
    rouge_1: Floats
    rouge_2: Floats
    rouge_l: Floats
    bleu: Floats
    chrf: Floats
    grounded: Floats
    length: Floats
    wanted: Floats
    repeated: Floats
    refused: Floats

    def __len__(self) -> int:
        return len(self.exact)

    def some(self, order: Sequence[int]) -> ScoredTexts:
        """Only these rows, in this order."""
        return ScoredTexts(
            **{each.name: chosen(getattr(self, each.name), order) for each in fields(ScoredTexts)}
        )

    def aggregate(self, weights: Floats) -> dict[str, Floats]:
        """Every score under each weighting of the rows. weights: (B, N), row counts. Returns (B,) arrays, NaN
        if undefined.
        """
        total, known = weights.sum(axis=1), ~np.isnan(self.grounded)
        with np.errstate(over="ignore"):
            loss = weights @ self.nats / (weights @ self.tokens)
            perplexity = np.exp(loss)
        grounds = weights[:, known].sum(axis=1)
        grounded = weights[:, known] @ self.grounded[known]
        means = {
            "exact_match": self.exact,
            "token_f1": self.f1,
            "rouge_1": self.rouge_1,
            "rouge_2": self.rouge_2,
            "rouge_l": self.rouge_l,
            "repetition": self.repeated,
            "refusals": self.refused,
        }
        return {
            "loss": loss,
            "perplexity": perplexity,
            **{name: weights @ values / total for name, values in means.items()},
            "chrf": chrf_of(weights @ self.chrf),
            "bleu": np.array([bleu_of(each) for each in weights @ self.bleu]),
            "groundedness": np.divide(
                grounded, grounds, out=np.full(len(weights), np.nan), where=grounds > 0
            ),
            "answer_words": weights @ self.length / total,
            "empty_answers": weights @ (self.length == 0) / total,
            "length_ratio": metrics.ratio(weights @ self.length, weights @ self.wanted),
        }

    def binned(self) -> None:
        """None: generated text has no confidence."""

    def by_class(self, weights: Floats) -> ByClass:
        """None: there are no labels."""
        return ByClass(*np.zeros((3, len(weights), 0)))


def bleu_of(statistics: Floats) -> float:
    """BLEU, 0 to 100, from summed segment statistics (10,): lengths of responses and references, then
    matching and total n-grams.
    """
    # imported here: few processes score text, and the rest start faster without it
    from sacrebleu.metrics import BLEU

    right, of = statistics[2:6].tolist(), statistics[6:10].tolist()
    found = BLEU.compute_bleu(
        right, of, int(statistics[0]), int(statistics[1]), smooth_method="exp", max_ngram_order=4
    )
    return float(found.score)


def chrf_of(statistics: Floats) -> Floats:
    """chrF2, 0 to 100, from summed statistics (B, 18): for each n-gram order the counts of responses,
    references, and matches.

    Precision and recall are averaged over the orders that both sides have, as in sacrebleu.
    """
    answered, wanted, shared = (statistics[:, at::3] for at in range(3))  # (B, orders)
    both = (answered > 0) & (wanted > 0)
    orders = both.sum(axis=1)
    precision = metrics.ratio((metrics.ratio(shared, answered) * both).sum(axis=1), orders)
    recall = metrics.ratio((metrics.ratio(shared, wanted) * both).sum(axis=1), orders)
    return 100 * metrics.ratio((1 + BETA**2) * precision * recall, BETA**2 * precision + recall)


def score_texts(
    answers: Sequence[str],
    references: Sequence[str],
    contexts: Sequence[str],
    nats: NDArray[Any] | None = None,
    tokens: NDArray[Any] | None = None,
) -> ScoredTexts:
    """Statistics of each row. contexts: empty if a row has none. nats, tokens: as in Losses, if the model
    gives probabilities.
    """
    from sacrebleu.metrics import BLEU, CHRF

    if not answers or not len(answers) == len(references) == len(contexts):
        raise ValueError(
            "The number of responses, references, and contexts must be equal and at least 1; got"
            f" {len(answers)}, {len(references)}."
        )
    rouges = [words.rouge(one, two) for one, two in zip(answers, references, strict=True)]
    unknown = np.full(len(answers), np.nan)
    found = [words.groundedness(one, two) for one, two in zip(answers, contexts, strict=True)]
    return ScoredTexts(
        nats=unknown if nats is None else np.asarray(nats, dtype=np.float64),
        tokens=unknown if tokens is None else np.asarray(tokens, dtype=np.float64),
        exact=_each(words.exact, answers, references),
        f1=_each(words.token_f1, answers, references),
        rouge_1=np.array([each.one for each in rouges]),
        rouge_2=np.array([each.two for each in rouges]),
        rouge_l=np.array([each.longest for each in rouges]),
        bleu=_statistics(BLEU(force=True), answers, references),
        chrf=_statistics(CHRF(char_order=CHRF_ORDERS, beta=BETA), answers, references),
        grounded=np.array([np.nan if each is None else each for each in found]),
        length=np.array([float(len(words.words(each))) for each in answers]),
        wanted=np.array([float(len(words.words(each))) for each in references]),
        **of_answers(answers),
    )


def of_answers(answers: Sequence[str]) -> dict[str, Floats]:
    """The statistics of `ScoredTexts` that responses alone have, each (N,)."""
    return {
        "repeated": np.array([words.repetition(each) for each in answers]),
        "refused": np.array([float(words.is_refusal(each)) for each in answers]),
    }


def _each(function: Any, answers: Sequence[str], references: Sequence[str]) -> Floats:
    return np.array([float(function(one, two)) for one, two in zip(answers, references, strict=True)])


def _statistics(metric: Any, answers: Sequence[str], references: Sequence[str]) -> Floats:
    """sacrebleu's counts of each segment, which add up over a corpus."""
    return np.array(metric._extract_corpus_statistics(list(answers), [list(references)]), dtype=np.float64)


def paired(
    one: ScoredTexts,
    two: ScoredTexts,
    *,
    count: int = bootstrap.RESAMPLES,
    seed: int = 1,
    clusters: Ints | None = None,
    swaps: int = 0,
) -> dict[str, dict[str, Any]]:
    """Improvement of `two` over `one` on the same rows, for each metric in METRICS.compared that both have;
    as metrics.paired_rows.
    """
    return comparisons.paired_rows(
        one,
        two,
        ENTRY.compared(one, two),
        labels=None,
        count=count,
        seed=seed,
        lower=METRICS.lower,
        clusters=clusters,
        swaps=swaps,
    )


@dataclass(frozen=True)
class TextAnswers:
    """A model's responses. targets: digest of each reference with its context. base_answers: responses before
    fine-tuning; None if not generated. copied: the longest run of words shared with a training completion.
    cut: whether a response was truncated at the maximum length. clusters: as in `Predicted`.
    """

    ids: tuple[str, ...]
    targets: tuple[str, ...]
    answers: tuple[str, ...]
    scored: ScoredTexts
    copied: tuple[verbatim.Run, ...]
    cut: tuple[bool, ...]
    base_answers: tuple[str, ...] | None = None
    clusters: Ints | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def labels(self) -> tuple[str, ...]:
        """None."""
        return ()


class FreeText(Measures[TextAnswers]):
    """Scored by word overlap with references."""

    metrics, baselines = METRICS, BASELINES
    stated = "text generation"
    per_row = ("ids", "targets", "answers", "copied", "base_answers", "cut", "clusters")

    def score(self, rows: TextAnswers, bins: int = 15) -> ScoredTexts:
        """The scored rows."""
        return rows.scored

    def some(self, rows: TextAnswers, order: Sequence[int]) -> TextAnswers:
        """With the stored counts."""
        return replace(super().some(rows, order), scored=rows.scored.some(order))

    def losses(self, rows: TextAnswers) -> Floats:
        """Mean over the tokens of the reference."""
        return metrics.mean_loss(rows.scored.nats, rows.scored.tokens)

    def truths(self, rows: TextAnswers, labels: tuple[str, ...]) -> tuple[Hashable, ...]:
        """The digests of references with their contexts."""
        return rows.targets

    def compared(self, one: Countable, two: Countable) -> list[str]:
        """Without metrics that one model lacks, such as the loss of a model without probabilities."""
        known = [metrics.point_estimates(each) for each in (one, two)]
        return [name for name in self.metrics.compared if not any(np.isnan(each[name]) for each in known)]

    def parts(self, rows: TextAnswers, scored: ScoredTexts, bins: int) -> dict[str, Any]:
        """None: other sections about texts also need the dataset."""
        return {}


ENTRY = FreeText("generation")
