"""The artifact folder of a run: its description in lifecycle.json, and how to load it with public libraries
alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.statistics.deciding import Cut, Deciding
from lifecycle.runtime.task_types.by_key.types import DEFAULT
from lifecycle.runtime.task_types.spans.tagging import Unit

DESCRIPTION = "lifecycle.json"
HEAD = "head.safetensors"
SERVING = "serving/model.onnx"
INT8 = "serving/model.int8.onnx"
BESIDE = "./base"  # where PEFT finds the base of an exported adapter; a path with a dot is never downloaded
PEFT = ("lora", "ia3")  # strategies whose weights PEFT loads
FORMAT = 1
# Formats with a rule between logits and predictions, so that a reader without it refuses them: a label with
# a threshold, units.
DECIDING, UNITS = 2, 3
EARLIER = {  # names of a gate's figures up to 0.2.0
    "fp32_macro_f1": "fp32",
    "int8_macro_f1": "rounded",
    "int8_bytes": "rounded_bytes",
}


@dataclass(frozen=True)
class Gate:
    """Whether a model may serve with rounded numbers, and its figures on the rows of a split. reason: a
    sentence; figures: None where not measured.

    agreement: share (0 to 1) of rows with the same answer rounded and in fp32; of written answers, of their
    tokens. fp32, rounded: what each scores, by metric. split: whose rows decided.
    """

    passed: bool
    reason: str
    rows: int = 0
    agreement: float | None = None
    metric: str = ""
    fp32: float | None = None
    rounded: float | None = None
    fp32_bytes: int | None = None
    rounded_bytes: int | None = None
    split: str = "validation"

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> Gate:
        """Parse the JSON object; up to 0.2.0 every score was a macro-F1. Raises TypeError."""
        if set(EARLIER) & set(found):
            return cls(**{EARLIER.get(name, name): value for name, value in found.items()}, metric="macro_f1")
        return cls(**found)


@dataclass(frozen=True)
class Operating:
    """What the thresholds were chosen for on validation: by "precision" or "recall", at least target for each
    label. missed: the labels that reach it at no threshold, or have too few rows, which are at the nearest
    threshold or at 0.5. promised: those whose other rows reach it too, each on its own; of all others it is
    estimated.
    """

    by: str
    target: float
    missed: tuple[str, ...] = ()
    promised: tuple[str, ...] = ()

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> Operating:
        """Parse the JSON object. Raises KeyError or TypeError."""
        return cls(found["by"], found["target"], tuple(found["missed"]), tuple(found["promised"]))


@dataclass(frozen=True)
class ArtifactInfo:
    """lifecycle.json. labels: in order of the logits. temperature: what logits are divided by before softmax
    or sigmoid. inputs: of the ONNX graph. thresholds: of multi_label, the probability from which on each
    label is given; None of other tasks. max_new_tokens: of a model that writes texts, which has no labels and
    no graph.

    serving: the graph that answers: the int8 one where it passed its gate; empty where there is none. int8:
    that gate; None where no int8 graph is made. bf16: the gate of a model that writes texts; None of others.
    operating: what the thresholds are for; None where it is the best F1. deciding: of single_label, the class
    that has a threshold; None where the likeliest class answers. unit: of spans, what has a tag.
    """

    labels: tuple[str, ...]
    max_tokens: int
    pooling: str
    temperature: float
    strategy: str
    base_name: str
    base_digest: str
    inputs: tuple[str, ...]
    task: str = DEFAULT
    serving: str = SERVING
    int8: Gate | None = None
    thresholds: tuple[float, ...] | None = None
    max_new_tokens: int | None = None
    operating: Operating | None = None
    deciding: Deciding | None = None
    unit: Unit = Unit.PIECE
    bf16: Gate | None = None

    @property
    def is_bf16(self) -> bool:
        """Whether it may answer in bf16, where the processor computes in it."""
        return self.bf16 is not None and self.bf16.passed is True

    @property
    def cut(self) -> Cut | None:
        """The class that has a threshold, by its number; None where the likeliest class answers."""
        return self.deciding.cut(self.labels) if self.deciding else None

    @property
    def format(self) -> int:
        """By the rule between its logits and its predictions."""
        return UNITS if self.unit is not Unit.PIECE else DECIDING if self.cut else FORMAT

    def over(self, labels: tuple[str, ...]) -> ArtifactInfo:
        """The same for these labels; a label without a threshold gets 0.5."""
        known = dict(zip(self.labels, self.thresholds or (), strict=False))
        return replace(
            self,
            labels=labels,
            thresholds=self.thresholds and tuple(known.get(label, 0.5) for label in labels),
        )

    @classmethod
    def read(cls, folder: Path) -> ArtifactInfo:
        """Read the description. Raises EngineFault `bad_spec` when the folder is no artifact of a known
        format.
        """
        try:
            return cls.parse((folder / DESCRIPTION).read_bytes())
        except (OSError, ValueError) as error:
            message = f"{folder} isn't a model artifact that this version can read ({error})."
            raise EngineFault("bad_spec", message, "Use the artifact folder of a succeeded run.") from error

    @classmethod
    def parse(cls, data: bytes) -> ArtifactInfo:
        """The description of a lifecycle.json. Raises ValueError, naming what is wrong."""
        try:
            document = json.loads(data)
            base = document["base"]
            found = cls(
                labels=tuple(document["labels"]),
                max_tokens=int(document["max_tokens"]),
                pooling=document["pooling"],
                temperature=float(document["temperature"]),
                strategy=document["strategy"],
                base_name=base["name"],
                base_digest=base["digest"],
                inputs=tuple(document["inputs"]),
                task=document["task"],
                serving=document["serving"],
                int8=Gate.read(document["int8"]) if document["int8"] else None,
                thresholds=tuple(map(float, document["thresholds"])) if document.get("thresholds") else None,
                max_new_tokens=document.get("max_new_tokens"),
                operating=Operating.read(document["operating"]) if document.get("operating") else None,
                deciding=Deciding(**document["deciding"]) if document.get("deciding") else None,
                unit=Unit(document.get("unit", Unit.PIECE)),
                bf16=Gate.read(document["bf16"]) if document.get("bf16") else None,
            )
            if document["format"] != found.format:
                raise ValueError(f"format {document['format']}")
            cut = [found.cut.threshold] if found.cut else []
            if not all(0 <= each <= 1 for each in [*(found.thresholds or ()), *cut]):
                raise ValueError("a threshold isn't from 0 to 1")
            if found.thresholds and len(found.thresholds) != len(found.labels):
                raise ValueError("there isn't a threshold per label")
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error
        return found

    def to_json(self) -> dict[str, Any]:
        """lifecycle.json as an object."""
        return {
            "format": self.format,
            "task": self.task,
            "labels": list(self.labels),
            "max_tokens": self.max_tokens,
            "pooling": self.pooling,
            "temperature": self.temperature,
            "strategy": self.strategy,
            "base": {"name": self.base_name, "digest": self.base_digest},
            "inputs": list(self.inputs),
            "serving": self.serving,
            "int8": asdict(self.int8) if self.int8 else None,
        } | self._of_its_task()

    def _of_its_task(self) -> dict[str, Any]:
        found = {
            "thresholds": self.thresholds,
            "operating": self.operating,
            "deciding": self.deciding,
            "max_new_tokens": self.max_new_tokens,
            "unit": self.unit if self.unit is not Unit.PIECE else None,
            "bf16": self.bf16,
        }
        return {
            name: asdict(value) if isinstance(value, Operating | Deciding | Gate) else value
            for name, value in found.items()
            if value
        }
