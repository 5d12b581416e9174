"""A Hugging Face folder as a ZIP: files by split under data/, and a README whose front matter names features and classes.

Texts go into Parquet, whose schema metadata names the classes too. Dialogues, pairs and rankings go into JSONL, since what their messages
carry differs from row to row. Pure but for writing the files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from datasets_app.snapshots.formats import conll, dialogues, preferences
from datasets_app.snapshots.formats.entries import About, Entry, Tally
from datasets_app.snapshots.formats.packing import SPLITS, Made, by_split, pack, write_lines
from lifecycle.ui.markdown import inline

BATCH = 1_000
BESIDE = ("id", "group", "time", "item", "decision", "metadata")
MADE: Mapping[str, Made] = {"chat": dialogues.chat, "preference": preferences.trl, "ranking": preferences.ranking}
PARQUET, LINES = "data/{split}-00000-of-00001.parquet", "data/{split}.jsonl"
Feature = dict[str, Any]
TEXT: Feature = {"dtype": "string", "_type": "Value"}
PLACE: Feature = {"dtype": "int64", "_type": "Value"}


def write(path: Path, entries: Iterator[Entry], tally: Tally, about: About) -> None:
    """The folder of a snapshot."""
    if about.task in MADE:
        with by_split(path, LINES, {"README.md": readme(about, {})}) as files:
            write_lines(files, entries, tally, MADE[about.task])
        return
    write_parquet(path, entries, tally, about)


def write_parquet(path: Path, entries: Iterator[Entry], tally: Tally, about: About) -> None:
    """A Parquet file for each split."""
    features = features_of(about)
    told = {"huggingface": json.dumps({"info": {"features": features}}, ensure_ascii=False)}
    schema = pa.schema([(name, type_of(feature)) for name, feature in features.items()], metadata=told)
    names = tags_of(about.classes) if about.task == "spans" else about.classes
    numbers = {name: number for number, name in enumerate(names)}
    files = {split: path.with_name(f"{split}.parquet") for split in SPLITS}
    with ExitStack() as stack:
        writers: dict[str, pq.ParquetWriter] = {}
        while batch := list(islice(entries, BATCH)):
            for split, some in groupby(sorted(batch, key=lambda entry: SPLITS.index(entry.split)), key=lambda entry: entry.split):
                rows = [row_of(entry, about.task, numbers, tally) for entry in some]
                if split not in writers:
                    writers[split] = stack.enter_context(pq.ParquetWriter(files[split], schema, compression="zstd"))
                writers[split].write_table(pa.Table.from_pylist(rows, schema=schema))
                tally.rows += len(rows)
    pack(path, {PARQUET.format(split=split): file for split, file in files.items()}, {"README.md": readme(about, features)})


def class_label(names: Sequence[str]) -> Feature:
    """Class numbers with their names."""
    return {"names": list(names), "_type": "ClassLabel"}


def sequence(feature: Feature) -> Feature:
    """A list of these."""
    return {"feature": feature, "_type": "Sequence"}


def tags_of(classes: Sequence[str]) -> list[str]:
    """The tags of tokens in IOB2, none first."""
    return ["O", *(f"{prefix}-{conll.SPACE.sub('_', name)}" for name in classes for prefix in "BI")]


def features_of(about: About) -> dict[str, Any]:
    """The columns of a task of texts, as `datasets` describes them."""
    beside = dict.fromkeys(BESIDE, TEXT)
    context = {"context": TEXT} if about.content else {}
    if about.task == "free_text":
        return {"prompt": TEXT, **context, "completion": TEXT, **beside}
    said: dict[str, Any] = {"label": class_label(about.classes)}
    if about.task == "multi_label":
        said = {"labels": sequence(class_label(about.classes))}
    if about.task == "spans":
        spans = [{"start": PLACE, "end": PLACE, "label": TEXT}]
        said = {"tokens": sequence(TEXT), "ner_tags": sequence(class_label(tags_of(about.classes))), "spans": spans}
    return {"text": TEXT, **context, **said, **beside}


def type_of(feature: Any) -> pa.DataType:
    """The Arrow type of a feature."""
    if isinstance(feature, list):
        return pa.list_(pa.struct([(name, type_of(inner)) for name, inner in feature[0].items()]))
    if feature["_type"] == "Sequence":
        return pa.list_(type_of(feature["feature"]))
    return pa.int64() if feature["_type"] == "ClassLabel" else pa.type_for_alias(feature["dtype"])


def row_of(entry: Entry, task: str, numbers: Mapping[str, int], tally: Tally) -> dict[str, Any]:
    """One row, its classes as numbers. numbers: of the classes by name; of the tags where parts of a text are marked."""
    row: dict[str, Any] = {
        "id": entry.id, "group": entry.group, "time": entry.time, "item": entry.item, "decision": entry.decision,
        "metadata": json.dumps(entry.metadata, ensure_ascii=False, sort_keys=True), "context": entry.content.get("context", ""),
    }  # fmt: skip
    if task == "free_text":
        return {**row, "prompt": entry.text, "completion": entry.said}
    row["text"] = entry.text
    if task == "single_label":
        return {**row, "label": numbers[entry.said]}
    if task == "multi_label":
        return {**row, "labels": [numbers[name] for name in entry.said]}
    spans = conll.spans_of(entry)
    kept = conll.without_overlap(spans)
    tally.losses["tags"] += len(spans) - len(kept)
    tagged = list(conll.tagged(entry.text, kept))
    return {
        **row, "tokens": [word for word, _ in tagged], "ner_tags": [numbers[tag] for _, tag in tagged], "spans": entry.said,
    }  # fmt: skip


def readme(about: About, features: Mapping[str, Any]) -> str:
    """The card: front matter that `datasets` reads, then what a person wants to know."""
    path = PARQUET if features else LINES
    files = [{"split": split, "path": path.format(split=split)} for split in SPLITS]
    front: dict[str, Any] = {"configs": [{"config_name": "default", "data_files": files}]}
    if features:
        front["dataset_info"] = {"features": [described(name, feature) for name, feature in features.items()]}
    told = [
        "In `spans`: what was decided, as code points. `tokens` and `ner_tags` are made of it, without spans that overlap a longer one."
    ]
    lines = [*about.facts, *(told if about.task == "spans" else [])]
    body = "\n".join(f"- {line}" for line in lines)
    return f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n\n# {inline(about.title)}\n\n{body}\n"


def described(name: str, feature: Any) -> dict[str, Any]:
    """A feature as front matter says it."""
    if isinstance(feature, list):
        return {"name": name, "list": [described(inner, each) for inner, each in feature[0].items()]}
    if feature["_type"] == "Sequence":
        return {"name": name, "sequence": dtype_of(feature["feature"])}
    return {"name": name, "dtype": dtype_of(feature)}


def dtype_of(feature: Feature) -> Any:
    """The type of a feature as front matter says it."""
    if feature["_type"] == "ClassLabel":
        return {"class_label": {"names": {str(number): name for number, name in enumerate(feature["names"])}}}
    return feature["dtype"]
