"""The input of advice: the version's counts, its scans, and the lengths of a sample of its texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from datasets_app.scanning import queries as scanning
from datasets_app.scanning.rules import Kind
from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.remembered import cache
from lifecycle.modeling.training import advice, suggesting
from lifecycle.modeling.training.advice import Advice, Answers, Candidate, Data, Lengths
from lifecycle.modeling.training.models import BaseModel
from lifecycle.runtime.engine.lengths import count_tokens
from lifecycle.runtime.engine.task_types.encoder_settings import tokens_from_characters
from lifecycle.runtime.engine.task_types.settings import Suggestion
from lifecycle.runtime.refusals import Refused
from registry.ground.artifacts import actions as artifacts

TEXTS = 2_000  # training texts read for their lengths; sorted by digest, so a fair sample
KEPT_SECONDS = 24 * 3600
TOKENIZER = "tokenizer.json"


@dataclass(frozen=True, slots=True)
class Advised:
    """Advice with its input. base: the proposed one. suggestion: for the proposed strategy, as advised."""

    answers: Answers
    data: Data
    lengths: Lengths
    base: BaseModel
    advice: Advice
    suggestion: Suggestion

    @property
    def strategy(self) -> str:
        """The proposed one."""
        return str(self.advice.value("strategy"))


def advise(snapshot: Snapshot, chosen: BaseModel, others: Sequence[BaseModel], answers: Answers) -> Advised:
    """Advice for a dataset version. chosen: the selected base; others: alternatives.

    Raises Refused if the task has no labels.
    """
    check_advisable(snapshot)
    data = data_of(snapshot)
    tokens = lengths_of(snapshot, chosen).percentile(95)
    rows = {str(each.uuid): each for each in (chosen, *others)}
    best, reason, failed = advice.choose_base(
        answers, candidate(chosen), [candidate(each) for each in rows.values() if each != chosen], tokens
    )
    base = rows[best.uuid]
    lengths = lengths_of(snapshot, base)
    suggestions = suggesting.suggestions(snapshot, base, strategies_of(base))
    found = advice.advise(answers, data, lengths, best, reason, suggestions, failed)
    return Advised(answers, data, lengths, base, found, proposed(found, suggestions[found.value("strategy")]))


def check_advisable(snapshot: Snapshot) -> None:
    """Raise Refused if the task has no labels."""
    if not snapshot.dataset.task_type.labels_texts:
        raise Refused(
            "Advice is only available for text classification. Other tasks use their defaults, each with its"
            " reason.",
            next_step="Run a 10-step dry run with these settings, and compare runs.",
        )


def proposed(found: Advice, suggestion: Suggestion) -> Suggestion:
    """The suggestion overridden by the advice, each setting with its reason."""
    advised = {
        each.name: replace(suggestion.choices[each.name], value=each.value, reason=f"Advised. {each.reason}")
        for each in found.settings
        if each.name in suggestion.choices
    }
    return Suggestion(suggestion.choices | advised, suggestion.seconds, suggestion.seconds_reason)


def strategies_of(base: BaseModel) -> list[str]:
    """The strategies that advice chooses from and this base supports."""
    return [name for name in advice.FASTER if name != "fast_lora" or (base.facts.get("layers") or 0) >= 2]


def candidate(base: BaseModel) -> Candidate:
    """The facts of a base model for the rules."""
    facts: Mapping[str, Any] = base.facts
    numbers = {
        name: int(facts.get(fact) or 0)
        for name, fact in {"bytes": "bytes", "layers": "layers", "width": "hidden_size"}.items()
    }
    return Candidate(str(base.uuid), base.name, max_tokens=int(facts.get("max_tokens") or 0), **numbers)


def data_of(snapshot: Snapshot) -> Data:
    """The counts of the version, and what scans of its dataset doubt now. Reads few rows at any size."""
    leakage, dataset = snapshot.leakage, snapshot.dataset
    doubts = scanning.tallies(dataset)[Kind.LABEL_ERROR]
    return Data(
        splits=snapshot.counts["splits"],
        labels={label: snapshot.counts["labels"][label] for label in snapshots.labels_of(snapshot)},
        leaked=leakage.get("leaked", 0),
        scanned=bool(leakage.get("scanned")),
        contradictions=leakage.get("test_contradictions", 0),
        doubted=doubts.open + doubts.confirmed if scanning.was_scanned(dataset, Kind.LABEL_ERROR) else None,
    )


def lengths_of(snapshot: Snapshot, base: BaseModel) -> Lengths:
    """Tokens of the first 2,000 training texts by the base's tokenizer, or estimated without one; cached for
    a day.
    """
    files = base.folder.files if base.folder else []
    tokenizer = next((each["sha256"] for each in files if each["name"] == TOKENIZER), "")
    key = f"training:tokens:{snapshot.digest}:{tokenizer}"
    known: Lengths | None = cache.get(key)
    if known is None:
        texts = [
            item.text
            for _, item in islice(snapshots.with_items(snapshot, snapshots.rows_of(snapshot, "train")), TEXTS)
        ]
        counted = count_tokens(read_text(tokenizer), texts) if tokenizer else None
        tokens = counted if counted is not None else [tokens_from_characters(len(text)) for text in texts]
        known = Lengths(tuple(sorted(tokens)), counted is not None)
        cache.set(key, known, KEPT_SECONDS)
    return known


def read_text(digest: str) -> str:
    """A small text in the store."""
    with artifacts.open_blob(digest) as file:
        return file.read().decode("utf-8")
