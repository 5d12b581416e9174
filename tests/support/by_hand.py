"""Encoders' artifacts, loaded and asked by public libraries alone: what the engine's own answers are held
against.
"""

from __future__ import annotations

from lifecycle.runtime.engine.artifact import PEFT, ArtifactInfo
from lifecycle.runtime.task_types.spans.loading import UNITS_OF_TEXTS

ENCODERS = {
    "full": "encoder = AutoModel.from_pretrained(artifact)",
    **dict.fromkeys(PEFT, "encoder = PeftModel.from_pretrained(AutoModel.from_pretrained(base), artifact)"),
    "adapter": (
        """encoder = AutoModel.from_pretrained(base)
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
    layer.register_forward_hook(behind(at))"""  # noqa: E501
    ),
    "head": "encoder = AutoModel.from_pretrained(base)",
}
POOLED = {
    "mean": (
        'mask = inputs["attention_mask"].unsqueeze(-1)\n    pooled = (output.last_hidden_state * mask).sum(1)'
        " / mask.sum(1)"
    ),
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
    "multi_label": (
        """probabilities = torch.sigmoid(logits / card["temperature"])
given = probabilities >= torch.tensor(card["thresholds"])
answers = [[label for label, has in zip(card["labels"], row) if has] for row in given.tolist()]
"""
    ),
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
""",  # noqa: E501
}
READ = """inputs = tokenizer(texts, truncation=True, max_length=card["max_tokens"], padding=True, return_tensors="pt")
"""  # noqa: E501
READ_PLACES = """options = {"return_offsets_mapping": True, "return_special_tokens_mask": True}
inputs = tokenizer(texts, truncation=True, max_length=card["max_tokens"], padding=True, return_tensors="pt", **options)
offsets, specials = inputs.pop("offset_mapping"), inputs.pop("special_tokens_mask").tolist()
"""  # noqa: E501


def loading_snippet(info: ArtifactInfo) -> str:
    """Python that expects `artifact`, `base` (a folder) and `texts`, and leaves `answers`: a label, a list of
    labels or a list of spans a text.
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
