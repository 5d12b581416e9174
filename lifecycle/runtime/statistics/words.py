"""Word overlap of texts. Pure; no torch.

normalised, exact, f1: as in the SQuAD evaluation (Rajpurkar et al. 2016, arXiv:1606.05250): lowercase,
without punctuation, without the articles a, an and the, one space between words.
rouge: as the package rouge-score without a stemmer (Lin 2004) for ASCII texts. Its words are runs of a to z
and 0 to 9; here they are runs of letters and digits of any script, with their combining marks, so that no
script scores 0 against itself. In scripts without spaces between words, each Chinese character and each
Japanese kana is a word; others such as Thai are split at spaces.
grounded: K-precision of content words (Adlakha et al. 2023, arXiv:2307.16877).
repetition: 1 - distinct / all n-grams of one text (seq-rep-n, Welleck et al. 2020, arXiv:1908.04319).
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
WORD = re.compile(r"[^\W_]+(?:['’.,][^\W_]+)*", re.UNICODE)
# Han, kana
CJK = re.compile(
    "([\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd])"
)
PUNCTUATION = frozenset(string.punctuation)
GRAM = 4  # words
BEGINNING = 40  # words in which a refusal is stated
ACTS = "help|assist|answer|provide|share|give|comply|do|fulfil|fulfill|respond|discuss|create|write|tell|say"
REFUSAL = re.compile(
    "|".join(
        (
            r"\b(?:i|we)(?: am|'m| are|'re) (?:unable|not able|not allowed|not permitted) to\b",
            rf"\b(?:i|we) (?:can't|cannot|can not|won't|will not|must decline to|decline to) (?:{ACTS})\b",
            r"\b(?:i|we) (?:don't|do not) know\b",
            r"\b(?:i|we) (?:don't|do not) have (?:enough |any |that |the |this )?(?:information|context)\b",
            r"\bas an? (?:ai|artificial intelligence|language model)\b",
        )
    )
)


def normalised(text: str) -> str:
    """The text normalised for exact match and token F1."""
    bare = "".join(each for each in text.lower() if each not in PUNCTUATION)
    return " ".join(ARTICLES.sub(" ", bare).split())


def exact(answer: str, reference: str) -> bool:
    """Whether both are the same once normalised."""
    return normalised(answer) == normalised(reference)


def token_f1(answer: str, reference: str) -> float:
    """Harmonic mean of precision and recall of words, 0 to 1; 1 where both texts have none."""
    one, two = normalised(answer).split(), normalised(reference).split()
    if not one or not two:
        return float(one == two)
    return _f1(sum((Counter(one) & Counter(two)).values()), len(one), len(two))


def _f1(shared: int, one: int, two: int) -> float:
    return 2 * shared / (one + two) if shared else 0.0


@dataclass(frozen=True)
class Rouge:
    """F1 of words, of pairs of words, and of the longest common subsequence of words; 0 to 1."""

    one: float
    two: float
    longest: float


def rouge(answer: str, reference: str) -> Rouge:
    """ROUGE-1, ROUGE-2 and ROUGE-L."""
    mine, theirs = rouge_words(answer), rouge_words(reference)
    if not mine or not theirs:
        return Rouge(0.0, 0.0, 0.0)
    pairs = [Counter(zip(each, each[1:], strict=False)) for each in (mine, theirs)]
    return Rouge(
        _f1(sum((Counter(mine) & Counter(theirs)).values()), len(mine), len(theirs)),
        _f1(sum((pairs[0] & pairs[1]).values()), len(mine) - 1, len(theirs) - 1),
        _f1(common_subsequence(mine, theirs), len(mine), len(theirs)),
    )


def rouge_words(text: str) -> list[str]:
    """Runs of letters, digits and their combining marks, lowercase; Chinese characters and kana one by
    one.
    """
    known = unicodedata.normalize("NFKC", text).lower()
    kept = "".join(each if unicodedata.category(each)[0] in "LMN" else " " for each in known)
    # a mark alone, as of an emoji, isn't a word
    return [each for each in CJK.sub(r" \1 ", kept).split() if any(map(str.isalnum, each))]


def common_subsequence(one: Sequence[str], two: Sequence[str]) -> int:
    """Length of the longest common subsequence, in words."""
    line = [0] * (len(two) + 1)
    for word in one:
        before = 0
        for at, other in enumerate(two, 1):
            before, line[at] = line[at], before + 1 if word == other else max(line[at], line[at - 1])
    return line[-1]


# ── Grounds ─────────────────────────────────────────────────────────────────
def words(text: str) -> list[str]:
    """Runs of letters and digits of any script, lowercase; 1,000 and don't are one word each."""
    return [each.replace("’", "'") for each in WORD.findall(unicodedata.normalize("NFKC", text).lower())]


def content_words(text: str) -> list[str]:
    """The words of a text without English stop words."""
    # late: slows the start of every process, and few compute with it
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return [each for each in words(text) if each not in ENGLISH_STOP_WORDS]


def ungrounded(answer: str, context: str) -> list[str]:
    """The content words of an answer that aren't in the context, each once, in order."""
    known = set(words(context))
    return list(dict.fromkeys(each for each in content_words(answer) if each not in known))


def groundedness(answer: str, context: str) -> float | None:
    """Share of an answer's content words that are in the context, 0 to 1; None without a context or a content
    word.

    It compares words, not meaning: a negation, a confusion of two facts of the context or a wrong sum counts
    as grounded, and a correct paraphrase, another form of a word, or a conclusion from the context doesn't.
    """
    found = content_words(answer)
    if not found or not context.strip():
        return None
    known = set(words(context))
    return sum(each in known for each in found) / len(found)


# ── Manner ──────────────────────────────────────────────────────────────────
def repetition(text: str) -> float:
    """Share of a text's runs of four words that occurred in it before, 0 to 1; 0 in shorter texts."""
    known = words(text)
    runs = [tuple(known[at : at + GRAM]) for at in range(len(known) - GRAM + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def is_refusal(text: str) -> bool:
    """Whether the first forty words of an English text decline to answer, as "I can't help with that", "We
    don't have that information", or "As an AI" do.

    It compares phrases, not meaning: a refusal in other words isn't found, nor one in another language.
    """
    plain = " ".join(unicodedata.normalize("NFKC", text).lower().replace("’", "'").split()[:BEGINNING])
    return REFUSAL.search(plain) is not None


def manner(text: str) -> dict[str, float]:
    """How a response is written, whatever it says, each from 0 to 1: as `repetition`, `is_refusal`, and
    whether it has no words.
    """
    return {
        "refusals": float(is_refusal(text)),
        "repetition": repetition(text),
        "empty_answers": float(not words(text)),
    }
