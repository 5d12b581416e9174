"""A Hugging Face folder as a ZIP: files by split under data/, and a README whose front matter names features
and classes.

Rows with the same columns go into Parquet, whose schema metadata also has the labels; others, such as chats,
into JSONL. Pure except for writing the files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from datasets_app.snapshots.formats.entries import About
from datasets_app.snapshots.formats.packing import SPLITS, by_split, pack, write_lines
from lifecycle.runtime.task_types.by_key.formats import formats_of
from lifecycle.runtime.task_types.exports import Entry, Tally
from lifecycle.runtime.task_types.hub import TEXT, Feature, HubColumns
from lifecycle.ui.markdown import inline

BATCH = 1_000
BESIDE = ("id", "group", "time", "item", "decision", "metadata")
PARQUET, LINES = "data/{split}-00000-of-00001.parquet", "data/{split}.jsonl"


def write(path: Path, entries: Iterator[Entry], tally: Tally, about: About) -> None:
    """Write the folder of a version."""
    hub = formats_of(about.task).hub(about.classes)
    if isinstance(hub, HubColumns):
        write_parquet(path, entries, tally, about, hub)
        return
    with by_split(path, LINES, {"README.md": readme(about, {})}) as files:
        write_lines(files, entries, tally, hub)


def write_parquet(path: Path, entries: Iterator[Entry], tally: Tally, about: About, hub: HubColumns) -> None:
    """Write a Parquet file for each split."""
    context = {"context": TEXT} if about.content else {}
    features = {hub.text: TEXT, **context, **hub.features, **dict.fromkeys(BESIDE, TEXT)}
    metadata = {"huggingface": json.dumps({"info": {"features": features}}, ensure_ascii=False)}
    schema = pa.schema([(name, type_of(feature)) for name, feature in features.items()], metadata=metadata)
    files = {split: path.with_name(f"{split}.parquet") for split in SPLITS}
    with ExitStack() as stack:
        writers: dict[str, pq.ParquetWriter] = {}
        while batch := list(islice(entries, BATCH)):
            for split, some in groupby(
                sorted(batch, key=lambda entry: SPLITS.index(entry.split)), key=lambda entry: entry.split
            ):
                rows = [row_of(entry, hub, tally) for entry in some]
                if split not in writers:
                    writers[split] = stack.enter_context(
                        pq.ParquetWriter(files[split], schema, compression="zstd")
                    )
                writers[split].write_table(pa.Table.from_pylist(rows, schema=schema))
                tally.rows += len(rows)
    pack(
        path,
        {PARQUET.format(split=split): file for split, file in files.items()},
        {"README.md": readme(about, features, hub.note)},
    )


def type_of(feature: Any) -> pa.DataType:
    """The Arrow type of a feature."""
    if isinstance(feature, list):
        return pa.list_(pa.struct([(name, type_of(inner)) for name, inner in feature[0].items()]))
    if feature["_type"] == "Sequence":
        return pa.list_(type_of(feature["feature"]))
    return pa.int64() if feature["_type"] == "ClassLabel" else pa.type_for_alias(feature["dtype"])


def row_of(entry: Entry, hub: HubColumns, tally: Tally) -> dict[str, Any]:
    """One row with all possible columns."""
    return {
        "id": entry.id,
        "group": entry.group,
        "time": entry.time,
        "item": entry.item,
        "decision": entry.decision,
        "metadata": json.dumps(entry.metadata, ensure_ascii=False, sort_keys=True),
        "context": entry.content.get("context", ""),
        hub.text: entry.text,
        **hub.row(entry, tally),
    }


def readme(about: About, features: Mapping[str, Feature], note: str = "") -> str:
    """The dataset card: front matter for `datasets`, then facts for people."""
    path = PARQUET if features else LINES
    files = [{"split": split, "path": path.format(split=split)} for split in SPLITS]
    front: dict[str, Any] = {"configs": [{"config_name": "default", "data_files": files}]}
    if features:
        front["dataset_info"] = {"features": [described(name, feature) for name, feature in features.items()]}
    lines = [*about.facts, *([note] if note else [])]
    body = "\n".join(f"- {line}" for line in lines)
    return (
        f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n\n#"
        f" {inline(about.title)}\n\n{body}\n"
    )


def described(name: str, feature: Any) -> dict[str, Any]:
    """A feature in front matter."""
    if isinstance(feature, list):
        return {"name": name, "list": [described(inner, each) for inner, each in feature[0].items()]}
    if feature["_type"] == "Sequence":
        return {"name": name, "sequence": dtype_of(feature["feature"])}
    return {"name": name, "dtype": dtype_of(feature)}


def dtype_of(feature: Feature) -> Any:
    """The type of a feature in front matter."""
    if feature["_type"] == "ClassLabel":
        return {"class_label": {"names": {str(number): name for number, name in enumerate(feature["names"])}}}
    return feature["dtype"]
