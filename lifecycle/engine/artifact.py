"""The folder a run leaves behind: what lifecycle.json says of it, and how to load it with nothing but public libraries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lifecycle.engine.faults import EngineFault
from lifecycle.statistics.deciding import Cut, Deciding
from lifecycle.task_types.by_key.types import DEFAULT
from lifecycle.task_types.spans.loading import UNITS_OF_TEXTS
from lifecycle.task_types.spans.tagging import Unit

DESCRIPTION = "lifecycle.json"
HEAD = "head.safetensors"
SERVING = "serving/model.onnx"
INT8 = "serving/model.int8.onnx"
BESIDE = "./base"  # where PEFT finds the base of an exported adapter; a path with a dot is never asked for over a network
PEFT = ("lora", "ia3")  # strategies whose weights PEFT loads
FORMAT = 1
# Formats with a rule between logits and answers, which who does not know of it must not answer without: a class with a threshold, units.
DECIDING, UNITS = 2, 3


@dataclass(frozen=True)
class Gate:
    """Whether the int8 graph may serve, and what was found on the rows of a split. reason: a sentence; figures: None where not measured.

    agreement: share (0 to 1) of rows that both graphs give the same answer. split: whose rows decided; runs from before decided on test.
    """

    passed: bool
    reason: str
    rows: int = 0
    agreement: float | None = None
    fp32_macro_f1: float | None = None
    int8_macro_f1: float | None = None
    fp32_bytes: int | None = None
    int8_bytes: int | None = None
    split: str = "test"


@dataclass(frozen=True)
class Operating:
    """What the thresholds were chosen for on validation: by "precision" or "recall", at least target for each label. missed: the labels
    that reach it at no threshold, or have too few rows to tell, which are at the nearest threshold or at 0.5. promised: those whose other
    rows reach it too, each by itself; of all others it is estimated, as in artifacts from before there was a promise."""

    by: str
    target: float
    missed: tuple[str, ...] = ()
    promised: tuple[str, ...] = ()

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> Operating:
        """As JSON has it; raises KeyError or TypeError where it is something else."""
        return cls(found["by"], found["target"], tuple(found["missed"]), tuple(found.get("promised", ())))


@dataclass(frozen=True)
class ArtifactInfo:
    """lifecycle.json. labels: in order of the logits. temperature: what logits are divided by before softmax or sigmoid. inputs: of the
    ONNX graph. thresholds: of multi_label, the probability from which on each label is given; None of other tasks. max_new_tokens: of
    a model that writes texts, which has no labels and no graph.

    serving: the graph that answers; empty where none does. int8: the gate of the int8 graph; None in artifacts that were written before
    there was one. Earlier artifacts name the fp32 graph, where the int8 one answers too.
    operating: what the thresholds are for; None where it is the best F1. deciding: of single_label, the class that has a threshold; None
    where the likeliest class answers. unit: of spans, what has a tag.
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

    @property
    def cut(self) -> Cut | None:
        """The class that has a threshold, by its number; None where the likeliest class answers."""
        return self.deciding.cut(self.labels) if self.deciding else None

    def over(self, labels: tuple[str, ...]) -> ArtifactInfo:
        """As it decides about these labels: at a threshold of 0.5 about one that it does not know."""
        known = dict(zip(self.labels, self.thresholds or (), strict=False))
        return replace(self, labels=labels, thresholds=self.thresholds and tuple(known.get(label, 0.5) for label in labels))

    def graph(self, folder: Path) -> Path:
        """The graph that answers: int8 where it passed its gate and is there, else fp32."""
        if self.int8 and self.int8.passed and (folder / INT8).is_file():
            return folder / INT8
        return folder / (SERVING if self.serving == INT8 else self.serving)

    @classmethod
    def read(cls, folder: Path) -> ArtifactInfo:
        """Read the description. Raises EngineFault `bad_spec` when the folder is no artifact of a known format."""
        try:
            document = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
            if document["format"] not in (FORMAT, DECIDING, UNITS):
                raise ValueError(f"format {document['format']}")
            base = document["base"]
            return cls(
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
                int8=Gate(**document["int8"]) if document.get("int8") else None,
                thresholds=tuple(map(float, document["thresholds"])) if document.get("thresholds") else None,
                max_new_tokens=document.get("max_new_tokens"),
                operating=Operating.read(document["operating"]) if document.get("operating") else None,
                deciding=Deciding(**document["deciding"]) if document.get("deciding") else None,
                unit=Unit.told(document),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = f"{folder} is not a model artifact that this version can read ({type(error).__name__}: {error})."
            raise EngineFault("bad_spec", message, "Point at the artifact folder of a run that succeeded.") from error

    def to_json(self) -> dict[str, Any]:
        """lifecycle.json as an object."""
        return {
            "format": UNITS if self.unit is not Unit.PIECE else DECIDING if self.cut else FORMAT,
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
            "thresholds": self.thresholds, "operating": self.operating, "deciding": self.deciding, "max_new_tokens": self.max_new_tokens,
            "unit": self.unit if self.unit is not Unit.PIECE else None,
        }  # fmt: skip
        return {name: asdict(value) if isinstance(value, Operating | Deciding) else value for name, value in found.items() if value}


ENCODERS = {
    "full": "encoder = AutoModel.from_pretrained(artifact)",
    **dict.fromkeys(PEFT, "encoder = PeftModel.from_pretrained(AutoModel.from_pretrained(base), artifact)"),
    "adapter": """encoder = AutoModel.from_pretrained(base)
adapters = load_file(Path(artifact) / "adapter_model.safetensors")
layers = next(each for each in encoder.modules() if isinstance(each, torch.nn.ModuleList) and len(each) == encoder.config.num_hidden_layers)

def behind(at):
    def adapt(layer, args, output):
        hidden = output[0] if isinstance(output, tuple) else output
        narrow = torch.nn.functional.gelu(hidden @ adapters[f"{at}.down.weight"].T + adapters[f"{at}.down.bias"])
        hidden = hidden + narrow @ adapters[f"{at}.up.weight"].T + adapters[f"{at}.up.bias"]
        return (hidden, *output[1:]) if isinstance(output, tuple) else hidden
    return adapt

for at, layer in enumerate(layers):
    layer.register_forward_hook(behind(at))""",
    "head": "encoder = AutoModel.from_pretrained(base)",
}
POOLED = {
    "mean": 'mask = inputs["attention_mask"].unsqueeze(-1)\n    pooled = (output.last_hidden_state * mask).sum(1) / mask.sum(1)',
    "cls": "pooled = output.last_hidden_state[:, 0]",
    "pooler": "pooled = output.pooler_output",
}


ONE = """probabilities = torch.softmax(logits / card["temperature"], dim=-1)
answers = [card["labels"][i] for i in probabilities.argmax(-1).tolist()]
"""
FROM_A_THRESHOLD = """probabilities = torch.softmax(logits / card["temperature"], dim=-1)
at, least = card["labels"].index(card["deciding"]["label"]), card["deciding"]["threshold"]
others = probabilities.clone()
others[:, at] = -1.0
chosen = torch.where(probabilities[:, at] >= least, at, others.argmax(-1))
answers = [card["labels"][i] for i in chosen.tolist()]
"""
ANSWERED = {
    "single_label": ONE,
    "multi_label": """probabilities = torch.sigmoid(logits / card["temperature"])
given = probabilities >= torch.tensor(card["thresholds"])
answers = [[label for label, has in zip(card["labels"], row) if has] for row in given.tolist()]
""",
    "spans": UNITS_OF_TEXTS
    + """tags = 2 * len(card["labels"]) + 1

def likeliest(logs):
    score, came = [x if i % 2 or i == 0 else float("-inf") for i, x in enumerate(logs[0])], []
    for row in logs[1:]:
        top = max(range(tags), key=score.__getitem__)
        before = [top if i % 2 or i == 0 else (i if score[i] >= score[i - 1] else i - 1) for i in range(tags)]
        score = [score[before[i]] + row[i] for i in range(tags)]
        came.append(before)
    path = [max(range(tags), key=score.__getitem__)]
    for before in reversed(came):
        path.append(before[path[-1]])
    return path[::-1]

answers = []
for text, logs, places, special in zip(texts, torch.log_softmax(logits / card["temperature"], -1), offsets, specials):
    at, where = tagged(text, places.tolist(), special, card.get("unit"))
    chosen = likeliest(logs[at].double().tolist()) if at else []
    found = []
    for (start, end), tag in zip(where, chosen):
        if tag % 2:
            found.append({"start": start, "end": end, "label": card["labels"][tag // 2]})
        elif tag:
            found[-1]["end"] = end
    answers.append(found)
""",
}
READ = """inputs = tokenizer(texts, truncation=True, max_length=card["max_tokens"], padding=True, return_tensors="pt")
"""
READ_PLACES = """options = {"return_offsets_mapping": True, "return_special_tokens_mask": True}
inputs = tokenizer(texts, truncation=True, max_length=card["max_tokens"], padding=True, return_tensors="pt", **options)
offsets, specials = inputs.pop("offset_mapping"), inputs.pop("special_tokens_mask").tolist()
"""


def loading_snippet(info: ArtifactInfo) -> str:
    """Python that loads the artifact and leaves `answers`, a label, a list of labels or a list of spans a text.

    It expects `artifact`, `base` (a folder) and `texts`.
    """
    peft = "from peft import PeftModel\n" if info.strategy in PEFT else ""
    marks = info.task == "spans"
    pooled = "pooled = output.last_hidden_state" if marks else POOLED[info.pooling]
    named = "" if info.strategy == "full" else f"# base: the folder of {info.base_name}\n"
    return f"""import json
import torch
from pathlib import Path
{peft}from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

{named}card = json.loads((Path(artifact) / "lifecycle.json").read_text())
tokenizer = AutoTokenizer.from_pretrained(artifact)
{ENCODERS[info.strategy]}
encoder.eval()
head = load_file(Path(artifact) / "head.safetensors")
{READ_PLACES if marks else READ}with torch.no_grad():
    output = encoder(**inputs)
    {pooled}
    logits = pooled @ head["weight"].T + head["bias"]
{FROM_A_THRESHOLD if info.cut else ANSWERED[info.task]}"""
