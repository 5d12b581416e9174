"""Engines: a verified artifact folder becomes a function from rows to predictions."""

from __future__ import annotations

import importlib
import time
from collections.abc import Hashable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lifecycle.runtime import bundle
from lifecycle.runtime.engine.artifact import DESCRIPTION, INT8, ArtifactInfo
from lifecycle.runtime.inference.batching import Slots
from lifecycle.runtime.inference.protocol import Floats, Prediction, outputs_of
from lifecycle.runtime.inference.writers import Writer, load_writer
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.by_key.decoding import decoding_of
from lifecycle.runtime.task_types.by_key.served import SERVED, served_of
from lifecycle.runtime.task_types.by_key.types import type_of

NO_GATE = "This version has no int8 graph."
INPUTS = {"input_ids", "attention_mask", "token_type_ids"}
MAX_ROWS_PER_RUN = 8
# rows of one run differ in length by at most this factor: padding costs more than a second run
MAX_PADDING = 1.35
WARM_UP_TEXTS = ("a", "a word or two of a usual message to be sorted", "a long message " * 40)


class BadOutput(ArithmeticError):
    """The network returned NaN, infinity, or too few numbers: a failure of the model, never a prediction."""


class Runner(Protocol):
    """A network; safe to call from several threads at once. feeds: names of its inputs; hidden: width of the
    embedding, if it gives one.

    precision: fp32 or int8; max_rows: how many texts may share a run.
    """

    platform: str
    precision: str
    max_rows: int
    feeds: tuple[str, ...]
    hidden: int | None

    def run(self, feed: dict[str, NDArray[np.int64]]) -> tuple[Floats, Floats | None]:
        """Logits (rows, K) before temperature, or those of all tokens (rows, width, K), and embedding (rows,
        hidden), of padded inputs (rows, width).
        """
        ...


def load(folder: Path, listed: bundle.Manifest) -> Engine | Writer:
    """An engine of a verified folder, warmed up. Every byte used is compared with the manifest. Raises
    Refused with the reason.
    """
    card = read_card(bundle.read_verified(folder, listed, DESCRIPTION))
    if type_of(card.task).writes_text:
        return load_writer(folder, listed, card)
    tokenizer = bundle.read_verified(folder, listed, "tokenizer.json")
    runner: Runner
    if card.serving in listed:
        runner = OnnxRunner(card, card.serving, bundle.read_verified(folder, listed, card.serving))
    else:
        runner = TorchRunner(card, folder)
    engine = Engine(card, tokenizer, runner)
    try:
        for text in WARM_UP_TEXTS:
            engine.predict([engine.served.example(text)])
    except BadOutput as error:
        raise Refused(
            "The model's output isn't numeric, or isn't complete.",
            next_step="Evaluate the version again before serving it.",
        ) from error
    return engine


def read_card(data: bytes) -> ArtifactInfo:
    """What lifecycle.json says. Raises Refused, naming the field."""
    try:
        card = ArtifactInfo.parse(data)
    except ValueError as error:
        raise Refused(f"{DESCRIPTION} is invalid: {error}.", next_step="Export the run again.") from error
    if card.task not in SERVED:
        raise Refused(
            f"{DESCRIPTION} has a task that this server doesn't support.",
            next_step="Update the server, or export again.",
        )
    kind = type_of(card.task)
    least = 2 if kind.one_label else int(kind.has_labels)
    if (
        len(set(card.labels)) < least
        or len(set(card.labels)) != len(card.labels)
        or not card.temperature > 0
        or not 1 <= card.max_tokens <= 100_000
    ):
        raise Refused(
            f"{DESCRIPTION} needs unique labels (at least {least}), a temperature above 0, and max_tokens of"
            " at least 1.",
            next_step="Export again.",
        )
    return card


class Engine:
    """Tokenizer, network and card of one version: predicts, and may be called from several threads at
    once.
    """

    def __init__(self, card: ArtifactInfo, tokenizer: bytes, runner: Runner) -> None:
        try:
            self._tokenizer = Tokenizer.from_buffer(tokenizer)
        except Exception as error:  # the library raises plain Exception
            raise Refused("tokenizer.json can't be loaded.", next_step="Export the run again.") from error
        self._tokenizer.enable_truncation(card.max_tokens)
        self._tokenizer.no_padding()
        self._pad = self._tokenizer.token_to_id("[PAD]") or 0
        self._unknown = self._tokenizer.token_to_id(
            getattr(self._tokenizer.model, "unk_token", None) or "[UNK]"
        )
        self._runner, self.served = runner, served_of(card.task)
        self._width = self.served.width(card)
        self.card, self.hidden, self.outputs = card, runner.hidden, outputs_of(card, runner.hidden)
        self.platform, self.precision = runner.platform, runner.precision
        self.reason = card.int8.reason if card.int8 else NO_GATE

    def predict(self, rows: Sequence[Any]) -> Prediction:
        """Predictions, embeddings and token counts of rows, in order. Sequences of similar length run
        together to keep padding small.

        All of it runs in the calling thread (a batch of texts would start the tokenizer's own), so its CPU
        time is the thread's. Raises BadOutput where a number or a part of the embedding is NaN or infinite:
        JSON has no such value, and counts would break.
        """
        began = time.thread_time()
        encodings = [
            [self._tokenizer.encode(text, pair) for text, pair in self.served.sequences(row)] for row in rows
        ]
        flat = [each for some in encodings for each in some]
        logits, embedding = self._run([each.ids for each in flat])
        decoding = decoding_of(self.card.task)
        decoded = decoding.decode(self.served.gather(logits, flat, rows, self.card), self.card.temperature)
        return Prediction(
            self.card,
            decoded,
            tuple(decoding.predictions(decoded, self.card)),
            embedding,
            tuple(sum(len(each.ids) for each in some) for some in encodings),
            tuple(any(each.overflowing for each in some) for some in encodings),
            tuple(fmean(self._oov(each) for each in some) for some in encodings),
            time.thread_time() - began,
        )

    async def run(self, slots: Slots, rows: Sequence[Any], texts: int) -> tuple[Prediction, float, float]:
        """The prediction, the seconds that it waited for a slot, and the seconds that it ran. texts: that the
        network reads for the rows.
        """

        def timed() -> tuple[Prediction, float]:
            began = time.perf_counter()
            return self.predict(rows), time.perf_counter() - began

        (prediction, run_seconds), queue_seconds = await slots.run(texts, timed)
        return prediction, queue_seconds, run_seconds

    def _run(self, ids: Sequence[list[int]]) -> tuple[list[Floats], Floats | None]:
        """Logits of each sequence, without its padding, and the embeddings."""
        lengths = [len(each) for each in ids]
        logits: list[Floats] = [np.empty(0, np.float32)] * len(ids)
        embedding: Floats | None = (
            None if self.hidden is None else np.empty((len(ids), self.hidden), np.float32)
        )
        for group in groups_of_like_length(lengths, self._runner.max_rows):
            feed = self._feed([ids[index] for index in group])
            some, pooled = self._runner.run(feed)
            read = feed["input_ids"].shape if self.served.is_ragged else (len(group),)
            if some.shape != (*read, self._width):
                raise BadOutput("The model doesn't return a number per label.")
            for index, each in zip(group, some, strict=True):
                logits[index] = each[: lengths[index]] if self.served.is_ragged else each
            if not all(self._is_sound(logits[index]) for index in group):
                raise BadOutput("The model returned NaN.")
            if embedding is not None and pooled is not None:
                embedding[group] = pooled
        if embedding is not None and not np.isfinite(embedding).all():
            raise BadOutput("The model returned NaN.")
        return logits, embedding

    def _is_sound(self, logits: Floats) -> bool:
        with np.errstate(over="ignore"):
            return bool(np.isfinite(logits / self.card.temperature).all())

    def _oov(self, encoding: Any) -> float:
        of_word = zip(encoding.sequence_ids, encoding.word_ids, strict=True)
        words = [None if word is None else (text, word) for text, word in of_word]
        return oov_share(words, encoding.ids, self._unknown)

    def _feed(self, ids: list[list[int]]) -> dict[str, NDArray[np.int64]]:
        width = max(1, max(len(row) for row in ids))
        tokens = np.full((len(ids), width), self._pad, np.int64)  # (rows, width)
        mask = np.zeros((len(ids), width), np.int64)
        for index, row in enumerate(ids):
            tokens[index, : len(row)] = row
            mask[index, : len(row)] = 1
        made = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": np.zeros_like(tokens)}
        return {name: made[name] for name in self._runner.feeds}


class OnnxRunner:
    """ONNX Runtime, one thread a run: parallel requests share the cores, and no thread spins while it waits.

    An int8 graph takes one text per run: it scales its activations by the largest of the run, so a text's
    scores would depend on the others. Batching would save only 6 %.
    """

    def __init__(self, card: ArtifactInfo, name: str, model: bytes) -> None:
        self.precision = "int8" if name == INT8 else "fp32"
        self.platform = "onnxruntime_onnx_int8" if name == INT8 else "onnxruntime_onnx"
        self.max_rows = 1 if name == INT8 else MAX_ROWS_PER_RUN
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the library raises exceptions of its own for each kind of damage
            raise Refused(
                f"{name} can't be loaded: {type(error).__name__}.", next_step="Export the run again."
            ) from error
        outputs = {output.name: output.shape for output in self._session.get_outputs()}
        wanted = {node.name for node in self._session.get_inputs()}
        if "logits" not in outputs or not wanted <= INPUTS & set(card.inputs):
            raise Refused(
                "The exported model's inputs or outputs don't match lifecycle.json.",
                next_step="Export the run again.",
            )
        self.feeds = tuple(name for name in card.inputs if name in wanted)
        width = outputs.get("embedding", [None])[-1]
        self.hidden = width if isinstance(width, int) else None
        self._names = ["logits"] if self.hidden is None else ["logits", "embedding"]

    def run(self, feed: dict[str, NDArray[np.int64]]) -> tuple[Floats, Floats | None]:
        """See Runner."""
        found = self._session.run(self._names, feed)
        return found[0], found[1] if len(found) > 1 else None


class TorchRunner:
    """The fallback for a fully fine-tuned artifact without an ONNX file, at the price of torch in this
    process.

    Its weights are read from the verified folder by path; OnnxRunner reads only bytes that were compared with
    the manifest.
    """

    platform, precision, max_rows = "pytorch", "fp32", MAX_ROWS_PER_RUN

    def __init__(self, card: ArtifactInfo, folder: Path) -> None:
        # costs 5 s and 300 MB, only for versions without an ONNX file
        self._torch = importlib.import_module("torch")
        export = importlib.import_module("lifecycle.runtime.engine.export")
        try:
            self._model = export.load_classifier(folder, None)
        except (
            Exception
        ) as error:  # a missing base, other weights than the configuration says, a file that is not there
            raise Refused(
                f"The version has no ONNX file, and torch can't load it: {error}",
                next_step="Export the run again.",
            ) from error
        self.feeds = tuple(name for name in card.inputs if name in INPUTS)
        self.hidden: int | None = int(self._model.head.in_features)

    def run(self, feed: dict[str, NDArray[np.int64]]) -> tuple[Floats, Floats | None]:
        """See Runner."""
        with self._torch.inference_mode():
            logits, pooled = self._model.serve(
                **{name: self._torch.from_numpy(values) for name, values in feed.items()}
            )
        return logits.float().numpy(), pooled.float().numpy()


def oov_share(words: Sequence[Hashable], ids: Sequence[int], unknown: int | None) -> float:
    """Share (0 to 1) of a text's words that are not exactly one token, or are the unknown token. words: of
    each token, None for markers.

    Of a truncated text only the part that the model reads is counted. 0 where there is no word.
    """
    known: dict[Hashable, bool] = {}
    for word, token in zip(words, ids, strict=True):
        if word is not None:
            known[word] = word not in known and token != unknown
    return 1 - sum(known.values()) / len(known) if known else 0.0


def groups_of_like_length(lengths: Sequence[int], max_rows: int = MAX_ROWS_PER_RUN) -> list[list[int]]:
    """Indices in runs of at most max_rows whose lengths differ by at most MAX_PADDING."""
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        last = groups[-1] if groups else None
        if last is not None and len(last) < max_rows and lengths[index] <= MAX_PADDING * lengths[last[0]]:
            last.append(index)
        else:
            groups.append([index])
    return groups
