"""What a task brings to the engine. All else (strategies, checkpoints, events, rates) is the same for every task.

read, truth          what a row says, and all rows' as what the scores read
meanings             what each logit stands for, by which a head is carried over to other labels
encode, stack, pad   rows to token ids with what the loss reads of them, and both as tensors of a batch
build, loss          the network that learns, and what it minimises; `frozen` is what it reads where only its head learns
observe, validate    what a model in training gives to the validation rows, and how good that is: `metrics.trained` says which is best
sample               what a few of these rows say, and what is said of them
ask, gather          what the artifact's graph is asked about rows, and its logits as they are decoded
calibrate            what turns logits into answers, chosen on validation and kept in the artifact
decode, answer       logits to probabilities, probabilities to labels
score, predicted     how good answers are, and an artifact's as they are measured and kept
losses               what each row loses, as the task's file of predictions says
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray
from torch import Tensor, nn

from lifecycle.engine.artifact import ArtifactInfo
from lifecycle.engine.batches import Collate, Encoded, EncodedRows
from lifecycle.engine.classifier import Network
from lifecycle.engine.layers import Activations
from lifecycle.engine.spec import TrainSpec
from lifecycle.statistics.deciding import Rule
from lifecycle.statistics.metrics import Countable, Ints
from lifecycle.task_types.measures import Metrics
from lifecycle.task_types.rows import Rows, Vectors
from lifecycle.task_types.spans.tagging import Unit

Array = NDArray[Any]


class Recipe(Protocol):
    """Rows are N, labels C, in the order of the spec.

    What `truth`, `observe` and `decode` give is the recipe's own: arrays with N rows where a text has one vector of logits.
    """

    metrics: Metrics  # of the task: the best step is the best by `trained`
    served_by: str  # how an artifact answers, and is written: see finishing.FINISH
    network: type[Any]  # what `build` builds, and an artifact is loaded as
    gated: bool  # whether its graph is rounded to int8 where that passes the gate

    def read(self, row: Mapping[str, Any], index: Mapping[str, int]) -> Any:
        """What one row says, by the labels' numbers. Raises ValueError with why it cannot be read."""

    def check(self, targets: Sequence[Any], labels: tuple[str, ...]) -> None:
        """Raises EngineFault where nothing could be learnt from these training rows."""

    def truth(self, targets: Sequence[Any], classes: int) -> Any:
        """What the rows say, for the scores."""

    def support(self, truth: Any, classes: int) -> list[int]:
        """Rows of each label."""

    def unit(self, rows: Rows) -> Unit:
        """What has a tag of its own where parts of these training rows are marked; of other tasks a piece."""

    def encode(self, tokenizer: Any, rows: Rows, classes: int, max_tokens: int, unit: Unit = Unit.PIECE) -> Encoded:
        """The rows as a model reads them, cut at max_tokens. unit: what has a tag."""

    def outputs(self, classes: int) -> int:
        """How many logits the head gives."""

    def meanings(self, labels: Sequence[str]) -> Sequence[str]:
        """What each logit of the head stands for, different ones by different names."""

    def stack(self, labels: Sequence[Any]) -> Tensor:
        """The labels of a batch's rows as one tensor, padded where they differ in length."""

    @staticmethod
    def pad(encoded: Any, pad_id: int, *, token_types: bool) -> dict[str, Tensor]:
        """The token ids of a batch's rows as a model's arguments."""

    def loss(self, spec: TrainSpec, labels: Any) -> nn.Module:
        """Of logits and a batch's labels. labels: of the training rows. Its `weight(labels)` says what rows weigh in its mean, so that the
        parts of a batch add up to the batch."""

    def build(self, base: Path, spec: TrainSpec, loss: nn.Module) -> Network:
        """The network over the base's folder, with gradients only where the strategy learns. Random parts come from torch's seed."""

    def frozen(self, model: Any, encoded: Encoded, batches: Collate, cache: Path, at_once: int) -> Tensor | Activations:
        """What the head reads of each row, of an encoder that does not learn; read from the cache file where it is whole."""

    def observe(self, model: Any, rows: EncodedRows, batches: Collate, at_once: int) -> Any:
        """What the model gives to all rows in order, without dropout, at_once rows at a time: what `validate` reads."""

    def vectors(self, base: Path, pooling: str, max_tokens: int, unit: Unit, folder: Path) -> Vectors:
        """What the task's baselines read of rows by a base that nobody tuned. folder: for what does not fit in memory."""

    def sound(self, outputs: Any) -> bool:
        """Whether what `observe` gave is numbers throughout."""

    def validate(self, outputs: Any, truth: Any) -> dict[str, float]:
        """log_loss, `metrics.watched` and how many different answers are given, of a model in training."""

    def sample(self, outputs: Any, truth: Any, rows: Sequence[int], labels: tuple[str, ...]) -> list[dict[str, Any]]:
        """Of these rows, of what `observe` gave: {"truth", "answer", "confidence"}. truth and answer: a label's name or a list of names,
        equal where the answer is right; where texts are written, None and what was written. confidence: 0 to 1 before calibration, None
        where there is none."""

    def ask(self, rows: Rows) -> Sequence[Any]:
        """What the graph reads of the rows: texts, or pairs of them."""

    def gather(self, logits: Any, rows: Rows) -> Any:
        """The graph's answers to `ask` as `decode` takes them."""

    def calibrate(self, info: ArtifactInfo, logits: Any, truth: Any, clusters: Ints | None = None) -> ArtifactInfo:
        """The artifact's description with what turns these logits best into answers. clusters: as of `predicted`."""

    def decode(self, logits: Any, temperature: float = 1.0) -> Any:
        """Probabilities."""

    def answer(self, probabilities: Any, info: ArtifactInfo) -> list[dict[str, Any]]:
        """What each row is told: {"label", "confidence"}, {"labels": [name, …]}, {"spans": [{"start", "end", "label", "confidence"}]}, or
        {"order": [number, …], "strengths"}."""

    def agreement(self, one: Any, two: Any, info: ArtifactInfo) -> float:
        """Share (0 to 1) of rows that two graphs' logits give the same answer."""

    def score(self, probabilities: Any, truth: Any, rule: Rule | None = None) -> Countable:
        """The rows, ready to be counted. rule: how probabilities become answers, as `ArtifactInfo.rule` gives it."""

    def losses(self, probabilities: Any, truth: Any) -> Array:
        """The loss of each row (N,), in nats; NaN where it has none."""

    def predicted(self, ids: Sequence[str], probabilities: Any, truth: Any, info: ArtifactInfo, clusters: Ints | None = None) -> Any:
        """The rows' predictions, as the task's measures and its file take them. clusters: number of each row's cluster (N,), None where
        rows are independent."""
