"""The model card: Hugging Face front matter and Markdown, written from frozen facts and from what people
stated. Pure.

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
from lifecycle.modeling.training.rules import Strategy
from lifecycle.modeling.training.thresholds import promises, threshold_of
from lifecycle.runtime.task_types.by_key.loading import loading_of
from lifecycle.runtime.task_types.by_key.measures import NAMED, measures_of
from lifecycle.ui.markdown import inline, paragraphs
from lifecycle.ui.numbers import count, decimals
from registry.catalog import rules

MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
TAGS = {
    "h3",
    "h4",
    "h5",
    "h6",
    "p",
    "ul",
    "ol",
    "li",
    "em",
    "strong",
    "code",
    "pre",
    "a",
    "blockquote",
    "hr",
    "br",
} | {
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
}
PRE = '<pre class="code" tabindex="0" role="region" aria-label="How to load the model">'
# Markdown needs a head, a reader does not
EMPTY_HEAD = re.compile(r"<thead>\s*<tr>(\s*<th></th>)+\s*</tr>\s*</thead>")
NOT_STATED = "not stated"
NOT_MEASURED = "not measured"
COLUMNS = 2  # scores of a baseline
SPEC = (
    "epochs",
    "batch_size",
    "learning_rate",
    "head_learning_rate",
    "weight_decay",
    "max_tokens",
    "pooling",
    "seed",
)
RELATION = dict.fromkeys(
    ("lora", "fast_lora", "ia3", "adapter", "prompt", "p_tuning", "prefix"), "adapter"
) | {
    "full": "finetune",
    "head": "finetune",
}
PEFT = ("lora", "fast_lora", "ia3", "prompt", "p_tuning", "prefix")
ENCODED = frozenset({"head_learning_rate", "pooling"})  # settings that a decoder does not have


def write(facts: Mapping[str, Any], stated: Mapping[str, str]) -> str:
    """The card of one version. facts: as `ModelVersion.facts` holds them; stated: purpose, limits, risks."""
    torch = "With" if loading_of(rules.task_type(facts).key).needs_torch else "Without"
    head = yaml.safe_dump(front_matter(facts), sort_keys=False, allow_unicode=True, width=10_000)
    parts = [
        f"# {inline(facts['model'])} {facts['semver']}",
        f"## Purpose\n\n{statement(stated.get('purpose'))}",
        data(facts["snapshot"]),
        training(facts),
        results(facts),
        f"## Limits\n\n{statement(stated.get('limits'))}",
        f"## Risks\n\n{statement(stated.get('risks'))}",
        thread(facts),
        f"## Loading\n\n{torch} torch, in a folder that contains `model/`:\n\n{loading(facts)}",
    ]
    return f"---\n{head}---\n\n" + "\n\n".join(parts) + "\n"


def loading(facts: Mapping[str, Any]) -> str:
    """Python that answers one text."""
    code = loading_of(rules.task_type(facts).key).code(facts["strategy"], decides=rules.decides(facts))
    return f"```python\n{code}\n```"


def front_matter(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata that the Hugging Face Hub and its tools read."""
    base, snapshot, found = facts["base"], facts["snapshot"], facts["evaluation"]["metrics"]
    metrics = measures_of(rules.task_type(facts).key).metrics
    known = [metrics[name] for name in metrics.registered if name in found]
    measured = [
        {"type": each.hub, "value": found[each.name]["value"], "name": each.title}
        for each in known
        if each.hub
    ]
    dataset = {
        "name": snapshot["dataset"],
        "type": snapshot["dataset_slug"],
        "split": "test",
        "revision": f"sha256:{snapshot['digest']}",
    }
    task = {"type": rules.task_type(facts).hub_tag}
    head = {
        "library_name": "peft" if facts["strategy"] in PEFT else "transformers",
        "base_model": rules.base_name(facts),
        "base_model_relation": RELATION.get(facts["strategy"]),
        "license": base.get("licence") or None,
        "language": snapshot.get("language") or None,
        "pipeline_tag": task["type"],
        "datasets": [snapshot["dataset_slug"]],
        "tags": [facts["strategy"]],
        "model-index": [
            {
                "name": facts["model_slug"],
                "results": [{"task": task, "dataset": dataset, "metrics": measured}],
            }
        ],
    }
    return {name: value for name, value in head.items() if value is not None}


def data(snapshot: Mapping[str, Any]) -> str:
    """What it was trained and tested on, and how the labels came about."""
    splits = snapshot["counts"]["splits"]
    rows = ", ".join(f"{count(number)} {inline(name)}" for name, number in splits.items()) or NOT_STATED
    made = snapshot["label_protocol"]
    lines = [
        ("Dataset", f"{inline(snapshot['dataset'])}, version v{snapshot['number']}"),
        ("Dataset version digest", f"`sha256:{snapshot['digest']}`"),
        ("Rows", rows),
        (
            "Labels",
            (
                f"{len(snapshot['labels'])} in schema version {snapshot['schema_version']},"
                f" `sha256:{snapshot['schema_digest']}`"
            ),
        ),
        ("Label protocol", protocol.decided_by(made)),
        ("Agreement", protocol.agreement(made)),
        ("Language", inline(snapshot.get("language") or NOT_STATED)),
        ("Licence of the data", inline(snapshot.get("licence") or NOT_STATED)),
    ]
    return "## Data\n\n" + table(("Fact", "Value"), lines)


def training(facts: Mapping[str, Any]) -> str:
    """How it was made: base, strategy, settings, effort."""
    base, spec, effort, kind = facts["base"], facts["spec"], facts["effort"], rules.task_type(facts)
    digest = f", `sha256:{base['digest']}`" if base.get("digest") else ""
    lines = [
        ("Base model", f"{inline(rules.base_name(facts))}{digest}"),
        ("Licence of the base", inline(base.get("licence") or NOT_STATED)),
        *([("Task", stated)] if (stated := measures_of(kind.key).stated) else []),
        *([("Thresholds", inline(thresholds(facts)))] if facts.get("operating") else []),
        *(
            [("Threshold", inline(threshold_of(chosen, "test").line))]
            if (chosen := facts["evaluation"].get("deciding"))
            else []
        ),
        ("Strategy", inline(dict(Strategy.choices).get(facts["strategy"], facts["strategy"]))),
        *(
            (name.replace("_", " ").capitalize(), inline(spec[name]))
            for name in SPEC
            if name in spec and not (name in ENCODED and kind.writes_text)
        ),
        ("Trainable parameters", count(effort.get("trainable_parameters")).lower()),
        ("Served as", served(facts)),
        *([("Ended early", inline(facts["ended_early"]))] if facts.get("ended_early") else []),
        (
            "Training time",
            f"{decimals(effort['seconds'], 0)} s" if effort.get("seconds") is not None else NOT_MEASURED,
        ),
    ]
    return "## Training\n\n" + table(("Fact", "Value"), lines)


def thresholds(facts: Mapping[str, Any]) -> str:
    """What those of classes were chosen for, and of which of them it is promised for other rows."""
    found = facts["operating"]
    promised = promises(found, facts["snapshot"]["labels"])
    return (
        f"{found['by']} of {found['target']:g} or more of each class on validation:"
        f" {promised or 'reached by none'}"
    )


def served(facts: Mapping[str, Any]) -> str:
    """Which graph answers, and what int8 was measured against."""
    found = rules.serving(facts)
    return f"{found.engine}. {inline(found.reason)}"


def results(facts: Mapping[str, Any]) -> str:
    """Metrics with their intervals on the frozen test split, and the baselines beside them."""
    evaluation = facts["evaluation"]
    lines = [
        (
            NAMED[name].title,
            decimals(metric["value"]),
            (
                f"{decimals(metric['low'])} to {decimals(metric['high'])}"
                if has_interval(metric)
                else NOT_MEASURED
            ),
        )
        for name, metric in evaluation["metrics"].items()
    ]
    groups = (
        f" in {count(evaluation['clusters'])} groups of near duplicates" if "clusters" in evaluation else ""
    )
    text = (
        f"## Results\n\nFrozen test split, {count(evaluation['rows'])} rows{groups}, report"
        f" `sha256:{evaluation['digest']}`.\n\n"
    )
    text += table(("Metric", "Value", "95 % interval"), lines)
    measures = measures_of(rules.task_type(facts).key)
    shown, found = measures.metrics.beside[:COLUMNS], evaluation["baselines"]
    against = [
        (title, *(metric(found[name], each) for each in shown))
        for name, title in measures.baselines.items()
        if name in found
    ]
    return (
        text
        + "\n\n"
        + (
            table(("Baseline", *(NAMED[each].title for each in shown)), against)
            if against
            else f"Baselines: {NOT_MEASURED}."
        )
    )


def thread(facts: Mapping[str, Any]) -> str:
    """Where it comes from, as digests that can be recomputed."""
    lines = [
        ("Dataset version", f"v{facts['snapshot']['number']}", f"`{facts['snapshot']['digest']}`"),
        (
            "Label schema",
            f"version {facts['snapshot']['schema_version']}",
            f"`{facts['snapshot']['schema_digest']}`",
        ),
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


def statement(words: str | None) -> str:
    """What someone stated, which opens no section of its own, or the gap."""
    return paragraphs(words) if words else gap(NOT_STATED)


def gap(words: str) -> str:
    """A gap that is seen."""
    return f"*{words}*"


def body(text: str) -> SafeString:
    """The card without its front matter, as clean HTML: nothing raw, no images, no scripts; headings from the
    third level.
    """
    _, _, markdown = (
        text.removeprefix("---\n").partition("\n---\n") if text.startswith("---\n") else ("", "", text)
    )
    tokens = MARKDOWN.parse(markdown)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
    html = MARKDOWN.renderer.render(tokens, MARKDOWN.options, {})
    clean = nh3.clean(html, tags=TAGS, attributes={"a": {"href"}}, url_schemes={"https", "http"})
    tables = (
        EMPTY_HEAD.sub("", clean)
        .replace("<table>", '<div class="tw"><table class="tbl">')
        .replace("</table>", "</table></div>")
    )
    return mark_safe(tables.replace("<pre>", PRE))  # noqa: S308  cleaned by nh3
