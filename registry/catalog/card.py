"""The model card: Hugging Face front matter and Markdown, written from frozen facts and from what people stated. Pure.

What is not known reads "not stated" or "not measured"; nothing is made up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import nh3
import yaml
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

from datasets_app.snapshots import protocol
from lifecycle.engine.artifact import INT8, UNITS_OF_TEXTS
from lifecycle.task_types.by_key.measures import NAMED
from lifecycle.training.rules import Strategy
from lifecycle.training.thresholds import promises, threshold_of
from lifecycle.ui.markdown import inline, paragraphs
from lifecycle.ui.numbers import count, decimals
from registry.catalog import rules

MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
TAGS = {"h3", "h4", "h5", "h6", "p", "ul", "ol", "li", "em", "strong", "code", "pre", "a", "blockquote", "hr", "br"} | {
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
PRE = '<pre class="code" tabindex="0" role="region" aria-label="How to load the model">'
EMPTY_HEAD = re.compile(r"<thead>\s*<tr>(\s*<th></th>)+\s*</tr>\s*</thead>")  # Markdown needs a head, a reader does not
NOT_STATED = "not stated"
NOT_MEASURED = "not measured"
BASELINES = {
    "majority": "Most frequent answer",
    "tfidf_logreg": "TF-IDF and logistic regression",
    "dictionary": "Dictionary of the training spans",
    "frozen_base_logreg": "Frozen base and logistic regression",
    "prompted_base": "Base before fine-tuning, same prompt",
    "nearest": "Answer to the nearest training prompt",
    "frequent": "Most frequent training answer",
    "first": "The response that stands first",
    "longer": "The longer response",
}
MEASURED = (
    *(("accuracy", "accuracy"), ("subset_accuracy", "accuracy"), ("macro_f1", "f1")),
    ("pair_accuracy", "accuracy"),
    *(("rouge_l", "rouge"), ("exact_match", "exact_match"), ("chrf", "chrf"), ("bleu", "bleu"), ("perplexity", "perplexity")),
)
SPEC = ("epochs", "batch_size", "learning_rate", "head_learning_rate", "weight_decay", "max_tokens", "pooling", "seed")
RELATION = dict.fromkeys(("lora", "fast_lora", "ia3", "adapter", "prompt", "p_tuning", "prefix"), "adapter") | {
    "full": "finetune",
    "head": "finetune",
}
PEFT = ("lora", "fast_lora", "ia3", "prompt", "p_tuning", "prefix")
ENCODED = frozenset({"head_learning_rate", "pooling"})  # settings that a decoder does not have
RANKED = "response ranking; a pair is correct if the response people prefer scores higher"
MARKED = "labeled spans; a span is correct if its position and label match"
LOADING = """```python
import json
from pathlib import Path

import numpy
import onnxruntime
from tokenizers import Tokenizer

folder = Path("model")
about = json.loads((folder / "lifecycle.json").read_text())
tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
tokenizer.enable_truncation(about["max_tokens"])
session = onnxruntime.InferenceSession(folder / about["serving"])

text = "Where is my card?"
encoded = tokenizer.encode(text)
columns = {"input_ids": encoded.ids, "attention_mask": encoded.attention_mask, "token_type_ids": encoded.type_ids}
inputs = {name: numpy.array([columns[name]], dtype=numpy.int64) for name in about["inputs"]}
scores = session.run(["logits"], inputs)[0][0] / about["temperature"]
{answer}
```"""
RANKING = """```python
import json
from pathlib import Path

import numpy
import onnxruntime
from tokenizers import Tokenizer

folder = Path("model")
about = json.loads((folder / "lifecycle.json").read_text())
tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
tokenizer.enable_truncation(about["max_tokens"])
session = onnxruntime.InferenceSession(folder / about["serving"])

prompt, responses = "Where is my card?", ["It was sent on Monday and takes five days.", "No idea."]
strengths = []
for response in responses:
    encoded = tokenizer.encode(prompt, response)
    columns = {"input_ids": encoded.ids, "attention_mask": encoded.attention_mask, "token_type_ids": [0] * len(encoded.ids)}
    inputs = {name: numpy.array([columns[name]], dtype=numpy.int64) for name in about["inputs"]}
    strengths.append(float(session.run(["logits"], inputs)[0][0, 0]) / about["temperature"])
print([responses[at] for at in numpy.argsort(strengths)[::-1]])
print(1 / (1 + numpy.exp(strengths[1] - strengths[0])))  # how likely the first is better than the second
```"""
WRITING = """```python
import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

about = json.loads(Path("model", "lifecycle.json").read_text())
tokenizer = AutoTokenizer.from_pretrained("model")
{load}
messages = [{"role": "user", "content": "Where is my card?"}]
if tokenizer.chat_template:  # which takes all turns of a dialogue too
    prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
else:
    prompt = messages[0]["content"] + "\\n\\n### Answer\\n"
inputs = tokenizer(prompt, add_special_tokens=not tokenizer.chat_template, return_tensors="pt")
ids, mask = inputs["input_ids"], inputs["attention_mask"]
ends = model.generation_config.eos_token_id
ends = {tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])}
for _ in range(about.get("max_new_tokens", 128)):  # greedy, without a cache: short, and the same for whatever was tuned
    with torch.no_grad():
        token = model(input_ids=ids, attention_mask=mask).logits[:, -1:].argmax(-1)
    if token.item() in ends:
        break
    ids, mask = torch.cat((ids, token), 1), torch.cat((mask, torch.ones_like(token)), 1)
print(tokenizer.decode(ids[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))
```"""
WHOLE = 'model = AutoModelForCausalLM.from_pretrained("model").eval()'
ADDED = """from peft import PeftModel
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("base"), "model").eval()  # base: the folder of its base model"""
ONE = """shares = numpy.exp(scores - scores.max())
print(about["labels"][shares.argmax()], shares.max() / shares.sum())"""
FROM_A_THRESHOLD = """shares = numpy.exp(scores - scores.max())
shares = shares / shares.sum()
at = about["labels"].index(about["deciding"]["label"])
others = numpy.where(numpy.arange(len(shares)) == at, -1, shares)
chosen = at if shares[at] >= about["deciding"]["threshold"] else int(others.argmax())
print(about["labels"][chosen], shares[chosen])"""
SEVERAL = """shares = 1 / (1 + numpy.exp(-scores))
print([(label, share) for label, share, least in zip(about["labels"], shares, about["thresholds"]) if share >= least])"""

MARKS = (
    UNITS_OF_TEXTS
    + """kept, where = tagged(text, encoded.offsets, encoded.special_tokens_mask, about.get("unit"))
best, came, spans = None, [], []
for row in scores[kept].astype(float):  # the likeliest tags in which a span goes on only where it has begun
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
print(spans)"""
)


def write(facts: Mapping[str, Any], stated: Mapping[str, str]) -> str:
    """The card of one version. facts: as `ModelVersion.facts` holds them; stated: purpose, limits, risks."""
    torch = "With" if rules.task_type(facts).writes_text else "Without"
    head = yaml.safe_dump(front_matter(facts), sort_keys=False, allow_unicode=True, width=10_000)
    parts = [
        f"# {inline(facts['model'])} {facts['semver']}",
        f"## Purpose\n\n{told(stated.get('purpose'))}",
        data(facts["snapshot"]),
        training(facts),
        results(facts["evaluation"]),
        f"## Limits\n\n{told(stated.get('limits'))}",
        f"## Risks\n\n{told(stated.get('risks'))}",
        thread(facts),
        f"## Loading\n\n{torch} torch, in a folder that contains `model/`:\n\n{loading(facts)}",
    ]
    return f"---\n{head}---\n\n" + "\n\n".join(parts) + "\n"


def loading(facts: Mapping[str, Any]) -> str:
    """Python that answers one text."""
    kind = rules.task_type(facts)
    if kind.writes_text:
        return WRITING.replace("{load}", WHOLE if facts["strategy"] == "full" else ADDED)
    if kind.has_responses:
        return RANKING
    one = FROM_A_THRESHOLD if rules.decides(facts) else ONE
    code = LOADING.replace("{answer}", MARKS if rules.gives_marks(facts) else SEVERAL if kind.has_thresholds else one)
    if rules.serving(facts).engine == "int8":  # which early artifacts do not name as what serves
        code = code.replace('about["serving"]', f'"{INT8}"')
    return code


def front_matter(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata that the Hugging Face Hub and its tools read."""
    base, snapshot, evaluation = facts["base"], facts["snapshot"], facts["evaluation"]
    measured = [
        {"type": kind, "value": evaluation["metrics"][name]["value"], "name": NAMED[name].title}
        for name, kind in MEASURED
        if name in evaluation["metrics"]
    ]
    dataset = {"name": snapshot["dataset"], "type": snapshot["dataset_slug"], "split": "test", "revision": f"sha256:{snapshot['digest']}"}
    task = {"type": rules.task_type(facts).hub_tag}
    known = {
        "library_name": "peft" if facts["strategy"] in PEFT else "transformers",
        "base_model": rules.base_name(facts),
        "base_model_relation": RELATION.get(facts["strategy"]),
        "license": base.get("licence") or None,
        "language": snapshot.get("language") or None,
        "pipeline_tag": task["type"],
        "datasets": [snapshot["dataset_slug"]],
        "tags": [facts["strategy"]],
        "model-index": [{"name": facts["model_slug"], "results": [{"task": task, "dataset": dataset, "metrics": measured}]}],
    }
    return {name: value for name, value in known.items() if value is not None}


def data(snapshot: Mapping[str, Any]) -> str:
    """What it was trained and tested on, and how the labels came about."""
    splits = snapshot["counts"].get("splits", {})
    rows = ", ".join(f"{count(number)} {inline(name)}" for name, number in splits.items()) or NOT_STATED
    made = snapshot.get("label_protocol")
    lines = [
        ("Dataset", f"{inline(snapshot['dataset'])}, version v{snapshot['number']}"),
        ("Dataset version digest", f"`sha256:{snapshot['digest']}`"),
        ("Rows", rows),
        ("Labels", f"{len(snapshot['labels'])} in schema version {snapshot['schema_version']}, `sha256:{snapshot['schema_digest']}`"),
        ("Label protocol", protocol.decided_by(made)),
        ("Agreement", protocol.agreement(made)),
        ("Language", inline(snapshot.get("language") or NOT_STATED)),
        ("Licence of the data", inline(snapshot.get("licence") or NOT_STATED)),
    ]
    return "## Data\n\n" + table(("Fact", "Value"), lines)


def training(facts: Mapping[str, Any]) -> str:
    """How it was made: base, strategy, settings, effort."""
    base, spec, effort, kind = facts["base"], facts["spec"], facts["effort"], rules.task_type(facts)
    lines = [
        ("Base model", f"{inline(rules.base_name(facts))}{', `sha256:' + base['digest'] + '`' if base.get('digest') else ''}"),
        ("Licence of the base", inline(base.get("licence") or NOT_STATED)),
        *([("Task", "any number of labels per text, each with its own threshold")] if kind.has_thresholds else []),
        *([("Thresholds", inline(thresholds(facts)))] if facts.get("operating") else []),
        *([("Threshold", inline(threshold_of(chosen, "test").line))] if (chosen := facts["evaluation"].get("deciding")) else []),
        *([("Task", MARKED)] if rules.gives_marks(facts) else []),
        *([("Task", RANKED)] if kind.has_responses else []),
        *([("Task", "text generation")] if kind.writes_text else []),
        ("Strategy", inline(dict(Strategy.choices).get(facts["strategy"], facts["strategy"]))),
        *(
            (name.replace("_", " ").capitalize(), inline(spec[name]))
            for name in SPEC
            if name in spec and not (name in ENCODED and kind.writes_text)
        ),
        ("Trainable parameters", count(effort.get("trainable_parameters")).lower()),
        ("Served as", served(facts)),
        *([("Ended early", inline(facts["ended_early"]))] if facts.get("ended_early") else []),
        ("Training time", f"{decimals(effort['seconds'], 0)} s" if effort.get("seconds") is not None else NOT_MEASURED),
    ]
    return "## Training\n\n" + table(("Fact", "Value"), lines)


def thresholds(facts: Mapping[str, Any]) -> str:
    """What those of classes were chosen for, and of which of them it is promised for other rows."""
    found = facts["operating"]
    told = promises(found, facts["snapshot"]["labels"])
    return f"{found['by']} of {found['target']:g} or more of each class on validation: {told or 'reached by none'}"


def served(facts: Mapping[str, Any]) -> str:
    """Which graph answers, and what int8 was measured against."""
    found = rules.serving(facts)
    return f"{found.engine}. {inline(found.reason)}"


def results(evaluation: Mapping[str, Any]) -> str:
    """Metrics with their intervals on the frozen test split, and the baselines beside them."""
    lines = [
        (
            NAMED[name].title,
            decimals(metric["value"]),
            f"{decimals(metric['low'])} to {decimals(metric['high'])}" if has_interval(metric) else NOT_MEASURED,
        )
        for name, metric in evaluation["metrics"].items()
    ]
    groups = f" in {count(evaluation['clusters'])} groups of near duplicates" if "clusters" in evaluation else ""
    text = f"## Results\n\nFrozen test split, {count(evaluation['rows'])} rows{groups}, report `sha256:{evaluation['digest']}`.\n\n"
    text += table(("Metric", "Value", "95 % interval"), lines)
    shown = ("subset_accuracy" if "subset_accuracy" in evaluation["metrics"] else "accuracy", "macro_f1")
    if "exact_texts" in evaluation["metrics"]:
        shown = ("micro_f1", "macro_f1")
    if "rouge_l" in evaluation["metrics"]:
        shown = ("rouge_l", "token_f1")
    order = [*(name for name in BASELINES if name in evaluation["baselines"]), *sorted(evaluation["baselines"].keys() - BASELINES.keys())]
    against = [(BASELINES.get(name, inline(name)), *(metric(evaluation["baselines"][name], each) for each in shown)) for name in order]
    return (
        text + "\n\n" + (table(("Baseline", *(NAMED[each].title for each in shown)), against) if against else f"Baselines: {NOT_MEASURED}.")
    )


def thread(facts: Mapping[str, Any]) -> str:
    """Where it comes from, as digests that can be recomputed."""
    lines = [
        ("Dataset version", f"v{facts['snapshot']['number']}", f"`{facts['snapshot']['digest']}`"),
        ("Label schema", f"version {facts['snapshot']['schema_version']}", f"`{facts['snapshot']['schema_digest']}`"),
        ("Base model", inline(rules.base_name(facts)), f"`{facts['base'].get('digest') or NOT_STATED}`"),
        ("Run", f"run {facts['run']['number']}", f"`{facts['run']['spec_digest']}`"),
        ("Evaluation", "frozen test split", f"`{facts['evaluation']['digest']}`"),
        ("Files", facts["semver"], f"`{facts['root_digest']}`"),
    ]
    return "## Provenance\n\n" + table(("Link", "Which", "sha256"), lines)


def metric(values: Mapping[str, Any], name: str) -> str:
    """One figure of a baseline."""
    value = values.get(name)
    return decimals(value) if isinstance(value, int | float) else NOT_MEASURED


def has_interval(measure: Mapping[str, Any]) -> bool:
    """Whether both ends of the interval are known."""
    return measure.get("low") is not None and measure.get("high") is not None


def table(head: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table."""
    rows = [head, tuple("---" for _ in head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def told(words: str | None) -> str:
    """What somebody stated, which opens no section of its own, or the gap."""
    return paragraphs(words) if words else said(NOT_STATED)


def said(words: str) -> str:
    """A gap that is seen."""
    return f"*{words}*"


def body(text: str) -> SafeString:
    """The card without its front matter, as clean HTML: nothing raw, no images, no scripts; headings from the third level."""
    _, _, markdown = text.removeprefix("---\n").partition("\n---\n") if text.startswith("---\n") else ("", "", text)
    tokens = MARKDOWN.parse(markdown)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
    html = MARKDOWN.renderer.render(tokens, MARKDOWN.options, {})
    clean = nh3.clean(html, tags=TAGS, attributes={"a": {"href"}}, url_schemes={"https", "http"})
    tables = EMPTY_HEAD.sub("", clean).replace("<table>", '<div class="tw"><table class="tbl">').replace("</table>", "</table></div>")
    return mark_safe(tables.replace("<pre>", PRE))  # noqa: S308  cleaned by nh3
