"""What is beside a version's files in its export, in words and in the formats of other tools. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import yaml

from lifecycle.runtime.engine.artifact import PEFT
from lifecycle.runtime.engine.shipped import SERVED
from registry.catalog import rules

NEEDED = ("numpy", "onnxruntime", "tokenizers")  # by that function
TAKEN = frozenset(
    {
        "model",
        "card",
        "transformers",
        "code",
        "readme.md",
        "verify.md",
        "signing.pub.pem",
        "model.sig",
        "mlmodel",
        "requirements.txt",
        "python_env.yaml",
    }
)  # as a file system without upper case reads them
SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ .-]*")

VERIFY = """# Verify this model without the server that exported it

    pip install model-signing pyopenssl

Do it before anything in this folder runs: Python leaves `code/__pycache__` behind, which no signature covers.

**The version**, as it was sealed when it was registered. `model/` carries an OpenSSF model signature over
every file in it (`model/model.sig`) but `model/README.md`, the newest revision of its card, which was put
there with the export:

    model_signing verify key --signature model/model.sig --public_key signing.pub.pem --ignore-paths model/README.md model

**The card**, each revision as it was saved. `card/card.json` names the root digest of the version that
`card/README.md` describes:

    model_signing verify key --signature card/model.sig --public_key signing.pub.pem card

**The export**, with all that was made from the version for other tools. `model.sig` covers every file of this
folder:

    model_signing verify key --signature model.sig --public_key signing.pub.pem .

All three were made with the key `signing.pub.pem`. Compare it with the one that the owner of the model
publishes elsewhere. Its fingerprint, sha256 of the DER form, is

    {fingerprint}

The root digest of the version, sha256 over the raw digests of its files in order of name, without the card,
is

    {root_digest}
"""  # noqa: E501


@dataclass(frozen=True, slots=True)
class Plain:
    """How transformers opens a version. loader: the class that opens the folder `transformers`, empty where
    there is no such folder, and why gives the reason why. trust: whether that needs code which is in it.
    """

    loader: str = ""
    trust: bool = False
    why: str = ""


def wants_plain(facts: Mapping[str, Any]) -> bool:
    """Whether a folder for transformers is made: what writes texts opens as it is."""
    return not rules.task_type(facts).writes_text


def base_place(named: str) -> str:
    """Where the base is in the export, so that PEFT finds it by the name in adapter_config.json; empty where
    no place can be made.
    """
    parts = named.removeprefix("./").split("/")
    is_safe = all(SEGMENT.fullmatch(part) and not part.endswith((" ", ".")) for part in parts)
    return "/".join(parts) if is_safe and parts[0].casefold() not in TAKEN else ""


def readme(card: str, facts: Mapping[str, Any], plain: Plain, base: str) -> str:
    """The card, and how each tool opens what is beside it. base: the folder of the base model, empty where it
    is not there.
    """
    parts = [card.rstrip(), "## Open it with plain tools", f"In this folder, without a network. {VERIFIED}"]
    if plain.loader:
        parts.append(with_transformers(facts, plain))
    elif plain.why:
        parts.append(f"**transformers**: no folder for it. {plain.why}")
    elif rules.task_type(facts).writes_text:
        parts.append("**transformers**: as under *Loading*.")
    if facts["strategy"] in (*PEFT, "fast_lora", "prompt", "p_tuning", "prefix"):
        parts.append(with_peft(facts, base))
    if rules.task_type(facts).labels_texts:
        parts.append(
            "**MLflow**: this folder is a model of the flavor `python_function`. It runs the graph that"
            " serves, so that its probabilities are the served ones.\n\n```python\nimport"
            ' mlflow\n\nprint(mlflow.pyfunc.load_model(".").predict(["Where is my card?"]))\n```'
        )
    return "\n\n".join(parts) + "\n"


VERIFIED = (
    "`VERIFY.md` shows how to check the signatures. `model/` is the version itself; everything else was"
    " generated from it for this export."
)


def with_transformers(facts: Mapping[str, Any], plain: Plain) -> str:
    """How transformers opens the folder, what needs trust, and how near its answers are to the served
    ones.
    """
    trust = ", trust_remote_code=True" if plain.trust else ""
    code = f"""```python
from transformers import {plain.loader}, AutoTokenizer

model = {plain.loader}.from_pretrained("transformers"{trust}).eval()
tokenizer = AutoTokenizer.from_pretrained("transformers"{trust})
```"""
    own = (
        "The library has no class for this model, which pools token vectors. Its class is in"
        " `transformers/modeling_lifecycle.py` (60 lines); without `trust_remote_code` the library refuses to"
        " load the folder."
        if plain.trust
        else "It loads with the library's own class."
    )
    serving = rules.serving(facts)
    near = (
        "Its logits include the temperature; its probabilities match the measured and served ones within"
        " 0.0001."
    )
    if serving.engine == "int8":
        near = (
            "Its logits include the temperature. These weights are fp32; the measured and served model is"
            f" the int8 graph in `model/serving`. {serving.reason}"
        )
    return (
        f"**transformers**: `transformers/` has the merged weights, the head, and the tokenizer. {own}"
        f" {near}\n\n{code}"
    )


def with_peft(facts: Mapping[str, Any], base: str) -> str:
    """How PEFT opens the adapter over its base."""
    if not base:
        return (
            "**PEFT**: this export doesn't include the base model's files; put them where"
            " `model/adapter_config.json` names them."
        )
    writes = rules.task_type(facts).writes_text
    kind = "AutoPeftModelForCausalLM" if writes else "AutoPeftModelForFeatureExtraction"
    gives = "" if writes else " It returns token vectors; the head is in `model/head.safetensors`."
    return (
        f"**PEFT**: `{base}/` is the base model, where `model/adapter_config.json` names it.{gives}\n\n"
        f'```python\nfrom peft import {kind}\n\nmodel = {kind}.from_pretrained("model").eval()\n```'
    )


def mlmodel(facts: Mapping[str, Any], uuid: str, created: datetime, python: str) -> str:
    """MLflow's description of the export as a Python function."""
    document: dict[str, Any] = {
        "artifact_path": "model",
        "flavors": {
            "python_function": {
                "code": "code",
                "data": "model",
                "env": {"virtualenv": "python_env.yaml"},
                "loader_module": SERVED,
                "python_version": python,
            }
        },
        "model_uuid": uuid.replace("-", ""),
        "utc_time_created": created.strftime("%Y-%m-%d %H:%M:%S.%f"),
        "metadata": {"root_digest": facts["root_digest"], "version": facts["semver"]},
    }
    return yaml.safe_dump(document, sort_keys=False)
