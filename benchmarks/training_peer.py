"""What the engine is measured beside: `python -m benchmarks.training_peer
{plain,bare,answer-plain,answer-ours} DIR`.

plain: a page of Hugging Face's Trainer on the rows of a run folder, as its documentation has it, with our
head (the mean of the tokens, dropout, a linear layer) and two rates. bare: the engine's own trainer with its
validation, without events and checkpoints. Both leave result.json.
answer-…: reads a list of texts from standard input and prints the labels that the trained model gives them.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import (
    AutoModel,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    get_linear_schedule_with_warmup,
    set_seed,
)


class MeanPooled(nn.Module):
    """An encoder, the mean of its tokens, and a linear head."""

    def __init__(self, encoder: Any, labels: int) -> None:
        super().__init__()
        self.encoder, self.dropout, self.head = (
            encoder,
            nn.Dropout(0.1),
            nn.Linear(encoder.config.hidden_size, labels),
        )

    def forward(self, labels: Tensor | None = None, **inputs: Tensor) -> dict[str, Tensor]:
        """Logits (B, C), with the loss where labels are given."""
        output, mask = self.encoder(**inputs).last_hidden_state, inputs["attention_mask"].unsqueeze(-1)
        logits = self.head(self.dropout((output * mask).sum(1) / mask.sum(1)))
        return (
            {"logits": logits}
            if labels is None
            else {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}
        )


def build(spec: dict[str, Any]) -> MeanPooled:
    """The model, ready to train."""
    encoder: Any = AutoModel.from_pretrained(spec["base"]["path"], add_pooling_layer=False)
    if spec["strategy"]["kind"] == "lora":
        encoder = get_peft_model(
            encoder, LoraConfig(r=8, lora_alpha=16, lora_dropout=0.1, target_modules=["query", "value"])
        )
    return MeanPooled(encoder, len(spec["labels"]))


def plain(folder: Path, spec: dict[str, Any]) -> None:
    """The script."""
    set_seed(spec["seed"])
    tokenizer, model = AutoTokenizer.from_pretrained(spec["base"]["path"]), build(spec)
    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    numbers = {label: number for number, label in enumerate(spec["labels"])}
    encoded = tokenizer([row["text"] for row in rows], truncation=True, max_length=128)
    found: Any = [
        {**{name: encoded[name][at] for name in encoded}, "labels": numbers[row["label"]]}
        for at, row in enumerate(rows)
    ]
    steps = -(-len(rows) // spec["batch_size"]) * spec["epochs"]
    learning = [
        each for name, each in model.named_parameters() if each.requires_grad and not name.startswith("head.")
    ]
    rates = [
        {"params": learning, "lr": spec["learning_rate"]},
        {"params": list(model.head.parameters()), "lr": spec["head_learning_rate"]},
    ]
    optimizer = torch.optim.AdamW(rates, weight_decay=0.01)
    trainer = Trainer(
        model=model,
        train_dataset=found,
        data_collator=DataCollatorWithPadding(tokenizer),
        optimizers=(optimizer, get_linear_schedule_with_warmup(optimizer, int(0.06 * steps), steps)),
        args=TrainingArguments(
            output_dir=str(folder / "plain"),
            num_train_epochs=spec["epochs"],
            per_device_train_batch_size=spec["batch_size"],
            use_cpu=True,
            seed=spec["seed"],
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            remove_unused_columns=False,
            label_names=["labels"],
        ),
    )
    measured(folder, trainer.train, "fp32")
    torch.save(model.state_dict(), folder / "plain.pt")


def bare(folder: Path, spec: dict[str, Any]) -> None:
    """The engine's trainer with its validation, and nothing around it."""
    from lifecycle.runtime.engine import best, training
    from lifecycle.runtime.engine.effort import Effort
    from lifecycle.runtime.engine.events import EventWriter
    from lifecycle.runtime.engine.reporter import Reporter
    from lifecycle.runtime.engine.spec import TrainSpec
    from lifecycle.runtime.engine.team import Team

    read = TrainSpec.read(folder / "spec.json")
    training._seed(read.seed)
    events, prepared = EventWriter(folder / "events.jsonl"), training._prepare(read, folder)
    reporter = Reporter(read, events, [], lambda: False, Effort(folder), len(prepared.train))
    trainer, _ = training._trainer(read, folder, prepared, events.write, Team(folder, 1), [reporter])
    trainer.remove_callback(reporter)
    trainer.args.save_strategy = trainer.args.logging_strategy = "no"
    best.save = lambda *given: None
    measured(folder, trainer.train, prepared.precision)


def measured(folder: Path, train: Callable[[], Any], precision: str) -> None:
    """Train, and write what it took as the engine writes it."""
    began, busy = time.monotonic(), time.process_time()
    train()
    took = {"seconds": time.monotonic() - began, "cpu_seconds": time.process_time() - busy}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result = {
        "stages": {"prepare": {"seconds": 0.0, "cpu_seconds": 0.0}, "train": took},
        "peak_memory_mb": peak,
        "precision": precision,
    }
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")


def answer(who: str, folder: Path, spec: dict[str, Any], texts: list[str]) -> list[str]:
    """The label of each text."""
    if who == "ours":
        from lifecycle.runtime.engine.predictor import Predictor

        predictor = Predictor(folder / "artifact")
        return [predictor.info.labels[each] for each in predictor.probabilities(texts).argmax(1)]
    tokenizer, model = AutoTokenizer.from_pretrained(spec["base"]["path"]), build(spec).eval()
    model.load_state_dict(torch.load(folder / "plain.pt", weights_only=True))
    found = []
    with torch.no_grad():
        for start in range(0, len(texts), 64):
            batch = tokenizer(
                texts[start : start + 64], truncation=True, max_length=128, padding=True, return_tensors="pt"
            )
            found += model(**batch)["logits"].argmax(-1).tolist()
    return [spec["labels"][each] for each in found]


def main() -> None:
    """One part, on one folder."""
    part, folder = sys.argv[1], Path(sys.argv[2])
    spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    if part.startswith("answer-"):
        print(json.dumps(answer(part.removeprefix("answer-"), folder, spec, json.loads(sys.stdin.read()))))
    else:
        {"plain": plain, "bare": bare}[part](folder, spec)


if __name__ == "__main__":
    main()
