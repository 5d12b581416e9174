"""Versions that write text, whose learned part is random: folders as a run leaves them, and loaded."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any


def make_writer(folder: Path, base: Path, kind: str, seed: int = 0, **strategy: Any) -> Path:
    """The artifact of a strategy over the base, laid out below `folder` as the server finds it, with its base
    beside it.
    """
    import torch

    from lifecycle.runtime.engine.artifact import ArtifactInfo
    from lifecycle.runtime.engine.base import folder_digest
    from lifecycle.runtime.engine.decoders import build_decoder, save_decoder
    from lifecycle.runtime.engine.export import set_info
    from lifecycle.runtime.engine.strategies import load_tokenizer
    from lifecycle.runtime.engine.strategy import Strategy

    torch.manual_seed(seed)
    model = build_decoder(base, Strategy(kind, **{"virtual_tokens": 8, "width": 16} | strategy)).eval()
    with torch.no_grad():
        for each in model.parameters():
            if each.requires_grad:
                each.add_(torch.randn_like(each) * 0.5)
    target = folder / "artifacts" / f"{kind}-{seed}"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    save_decoder(target, model)
    load_tokenizer(base).save_pretrained(target, save_jinja_files=False)
    digest = folder_digest(base)
    inputs = ("input_ids", "attention_mask")
    set_info(
        target,
        ArtifactInfo((), 64, "none", 1.0, kind, "tiny", digest, inputs, "generation", "", max_new_tokens=12),
    )
    beside = folder / "bases" / digest
    if kind != "full" and not beside.exists():
        shutil.copytree(base, beside)
    return target


def serve_writer(installation: Any, base: Path, kind: str, seed: int = 0, **strategy: Any) -> str:
    """Lay one out, signed, in the data folder of an installation. Returns its root digest."""
    from lifecycle.runtime import bundle

    draft = make_writer(installation.folder / "drafts", base, kind, seed, **strategy)
    root = bundle.sign(draft, installation.key)
    target = installation.serving / "artifacts" / root
    target.parent.mkdir(parents=True, exist_ok=True)
    draft.rename(target)
    for each in (installation.folder / "drafts" / "bases").glob("*"):
        beside = installation.serving / "bases" / each.name
        if not beside.exists():
            beside.parent.mkdir(exist_ok=True)
            each.rename(beside)
    return root


def load_writer(artifact: Path, folder: Path) -> Any:
    """The version of an artifact that `make_writer` laid out in this folder."""
    from lifecycle.runtime import bundle
    from lifecycle.runtime.engine.artifact import ArtifactInfo
    from lifecycle.runtime.generation.version import load

    return load(artifact, bundle.manifest(artifact), ArtifactInfo.read(artifact), folder / "bases")
