"""Hugging Face's Trainer wired to a run folder: our batches, rates and evaluation, sealed checkpoints, the
best weights.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import DataLoader, Sampler
from transformers import PrinterCallback, Trainer, TrainingArguments
from transformers.trainer_pt_utils import get_length_grouped_indices
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from lifecycle.runtime.engine import best, checkpoint, devices, memory
from lifecycle.runtime.engine.batches import EncodedRows
from lifecycle.runtime.engine.classifier import Network
from lifecycle.runtime.engine.diagnosis import jumps
from lifecycle.runtime.engine.faults import Unstable
from lifecycle.runtime.engine.memory import Parts
from lifecycle.runtime.engine.spec import TrainSpec
from lifecycle.runtime.engine.strategies import counts, load_trainable, trainable_state
from lifecycle.runtime.engine.task_types.by_key.learners import learner_of
from lifecycle.runtime.engine.team import Team
from lifecycle.runtime.task_types.by_key.measures import metrics_of

WEIGHTS = "weights.safetensors"
LOG_STEPS = 10
# logs samples of a few rows at a step: the outputs for all rows, and their truth
Show = Callable[[int, Any, Any], object]
SCHEDULERS = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}


class EpochBatches(Sampler[int]):
    """Row order of an epoch: like lengths share a batch, and batches come by chance, as a model that reads
    the long texts first and the short ones last forgets the long ones. The longest come first of all, so that
    too little memory shows at once. It depends on seed and epoch alone, so a resumed run walks the same way.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int, epoch: Callable[[], int]) -> None:
        self.lengths, self.batch_size, self.seed, self.epoch = list(lengths), batch_size, seed, epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch())
        rows = get_length_grouped_indices(self.lengths, self.batch_size, generator=generator)
        batches = [rows[start : start + self.batch_size] for start in range(0, len(rows), self.batch_size)]
        whole = len(rows) // self.batch_size  # the incomplete batch stays last
        order = [
            0,
            *(1 + torch.randperm(max(0, whole - 1), generator=generator)).tolist(),
            *range(max(1, whole), len(batches)),
        ]
        return iter([row for at in order for row in batches[at]])


class EngineTrainer(Trainer):  # type: ignore[misc]
    """Two learning rates, length-grouped batches, validation over all rows at once, checkpoints of trainable
    parameters only.
    """

    optimizer: Any
    lr_scheduler: Any
    control: Any

    def __init__(
        self,
        spec: TrainSpec,
        folder: Path,
        parts: Parts,
        team: Team,
        model: Network,
        train: EncodedRows,
        validation: EncodedRows,
        **options: Any,
    ) -> None:
        self.spec, self.folder, self.parts, self.team, self.learner = (
            spec,
            folder,
            parts,
            team,
            learner_of(spec.task),
        )
        self.counted = counts(model)
        self.broke: Unstable | None = None
        self.show: Show | None = None
        super().__init__(model=model, train_dataset=train, eval_dataset=validation, **options)
        self.remove_callback(PrinterCallback)
        self.model_accepts_loss_kwargs = False

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of one pass over the training rows."""
        return self.spec.steps_of_epoch(len(self.train_dataset))

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Whole batches; each process of a team takes its share of them itself, so that they are the same for
        any number of processes.
        """
        if self.team.size == 1:
            return super().get_train_dataloader()  # type: ignore[no-any-return]
        sampler = self._get_train_sampler()
        return DataLoader(
            self.train_dataset, self.spec.batch_size, sampler=sampler, collate_fn=self.data_collator
        )

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        rows: EncodedRows = self.train_dataset
        return EpochBatches(
            rows.lengths,
            self.spec.batch_size,
            self.spec.seed,
            lambda: self.state.global_step // self.steps_per_epoch,
        )

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW; weight matrices decay (IA3's scales, whose rest is one, do not), the head has its own rate.
        The first group's rate is the one that is reported.
        """
        if self.optimizer is None:
            groups: dict[tuple[bool, bool], list[Tensor]] = {}
            for name, parameter in self.model.named_parameters():
                if parameter.requires_grad:
                    groups.setdefault(
                        (name.startswith("head."), parameter.ndim > 1 and "ia3_" not in name), []
                    ).append(parameter)
            self.optimizer = torch.optim.AdamW(
                [
                    {
                        "params": parameters,
                        "lr": self.spec.head_learning_rate if is_head else self.spec.learning_rate,
                        "weight_decay": self.spec.weight_decay if decays else 0.0,
                    }
                    for (is_head, decays), parameters in sorted(groups.items(), key=lambda each: each[0])
                ],
                fused=True,
            )
        return self.optimizer

    def training_step(self, model: Any, inputs: dict[str, Tensor], num_items_in_batch: Any = None) -> Tensor:
        """One batch forward and back, in parts where memory is short; its mean loss, regardless of its weight
        in the step. Raises Unstable `nan_loss` when that is not a number.
        """
        loss: Tensor = sum(
            super(EngineTrainer, self).training_step(model, part) for part in self._in_parts(inputs)
        )
        if not self.is_number(loss):
            raise self._no_number("loss", self.state.global_step + 1)
        weighs = self.model.loss
        return loss * (weighs.usual(inputs["labels"]) / (weighs.weight(inputs["labels"]) or 1.0))

    def is_number(self, loss: Tensor) -> bool:
        """Whether a step may follow from this loss."""
        return bool(torch.isfinite(loss))

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> float:
        norm: float = super()._get_grad_norm(model, grad_norm=grad_norm)
        if not math.isfinite(norm):  # before the step that it would spoil the weights with
            raise self._no_number("gradient", self.state.global_step + 1)
        return norm

    def _no_number(self, what: str, step: int) -> Unstable:
        return Unstable(f"nan_{what.rpartition(' ')[2]}", f"The {what} became NaN at step {step}.", step)

    def _in_parts(self, batch: dict[str, Tensor]) -> Iterator[dict[str, Any]]:
        """The batch's rows a few at a time, each part with its share of the batch's loss, so that the
        gradients add up to the batch's. On the machine's own processor long texts pass fewer at a time, which
        takes no longer there and a fraction of the memory.
        """
        loss = self.model.loss
        whole = loss.usual(batch["labels"]) or 1.0  # a batch of empty texts has no token that counts
        whole /= self.team.size  # as gradients are averaged over the processes
        for part, counted in self.team.parts(batch, self._rows_at_once(batch)):
            yield {**part, "share": counted * loss.weight(part["labels"]) / whole}

    def _rows_at_once(self, batch: dict[str, Tensor]) -> int:
        ids = batch.get("input_ids")
        if ids is None or self.args.device.type != devices.CPU or self.spec.strategy.kind == "head":
            return self.parts.rows
        sequences = ids.numel() // max(1, len(ids) * ids.shape[-1])  # of a row
        return memory.rows_within(
            ids.shape[-1], self.parts.rows, memory.TRAINED_SQUARES * self.team.size // max(1, sequences)
        )

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **options: Any) -> Any:
        """The loss of a part, as much as it counts in its batch."""
        share = inputs.pop("share")
        return share * super().compute_loss(model, inputs, *args, **options)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Validation loss and scores, written to the log and used to keep the best step. Raises Unstable
        where logits are not numbers.
        """
        values = self.validated()
        if values is None:
            raise self._no_number("validation loss", self.state.global_step)
        result = {f"eval_{name}": value for name, value in values.items()}
        self.log(dict(result))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, result)
        return result

    def validated(self) -> dict[str, float] | None:
        """The scores of validation by name; None where outputs are not numbers."""
        return self.team.broadcast(self._validate)

    def _validate(self) -> dict[str, float] | None:
        rows: EncodedRows = self.eval_dataset
        outputs = self.learner.observe(self.model, rows, self.data_collator, self.parts.evaluation)
        if not self.learner.sound(outputs):
            return None
        if self.show is not None:
            self.show(self.state.global_step, outputs, rows.encoded.truth)
        return self.learner.validate(outputs, rows.encoded.truth)

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        if self.state.best_global_step and self._has_jumped():
            return False
        better = bool(super()._determine_best_metric(metrics, trial)) or self._equal_with_less_loss(metrics)
        if better:
            self.state.best_global_step = self.state.global_step
            weights = self.trained_weights()
            if self.team.leads:
                best.save(self.folder, weights, self.state.global_step, metrics)
        return better

    def _has_jumped(self) -> bool:
        """Whether the newest training loss is far above those before it: weights that may be diverging don't
        replace good ones.
        """
        train = [(each["step"], each["loss"]) for each in self.state.log_history if "loss" in each]
        found = jumps(train)
        return bool(found) and found[-1][0] == train[-1][0]

    def _equal_with_less_loss(self, values: dict[str, float]) -> bool:
        known = [
            each["eval_loss"]
            for each in self.state.log_history
            if "eval_loss" in each and each["step"] == self.state.best_global_step
        ]
        return (
            values[f"eval_{logged(self.learner.metrics.trained.name)}"] == self.state.best_metric
            and bool(known)
            and values["eval_loss"] < known[-1]
        )

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        weights = Path(output_dir or self.args.output_dir) / WEIGHTS
        is_best = self.state.best_global_step == self.state.global_step
        if is_best and self.team.broadcast(
            lambda: best.hard_link(self.folder, self.state.global_step, weights)
        ):
            return
        trained = self.trained_weights()
        if self.team.leads:
            weights.parent.mkdir(parents=True, exist_ok=True)
            save_file(trained, weights)

    def trained_weights(self) -> dict[str, Tensor]:
        """The trainable parameters by name, as they are saved."""
        return trainable_state(self.model)

    @property
    def is_at_end(self) -> bool:
        """Whether the last step is done, so that no checkpoint needs the optimizer."""
        return bool(self.state.global_step >= self.state.max_steps)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if not self.is_at_end:
            super()._save_optimizer_and_scheduler(output_dir)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_trainable(self.model, load_file(Path(resume_from_checkpoint) / WEIGHTS))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(self.args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
        if self.team.broadcast(lambda: checkpoint.is_complete(folder)):
            return
        super()._save_checkpoint(model, trial)
        self.team.wait()
        if self.team.leads:
            checkpoint.seal(folder)
            checkpoint.keep_newest(folder.parent)

    def free_training_memory(self) -> None:
        """Free gradients and the optimizer's moments: writing the artifact needs memory of its own."""
        self.model.zero_grad(set_to_none=True)
        self.optimizer = self.lr_scheduler = self.callback_handler.optimizer = (
            self.callback_handler.lr_scheduler
        ) = None
        self.accelerator._optimizers.clear()
        self.accelerator._schedulers.clear()
        self.accelerator._models.clear()
        self.model_wrapped = self.model
        gc.collect()


def logged(score: str) -> str:
    """A score's name in the trainer's own log."""
    return "loss" if score == "validation_loss" else score


def arguments(
    spec: TrainSpec, folder: Path, *, rows: int, bf16: bool, device: str = devices.CPU
) -> TrainingArguments:
    """The Trainer's arguments for a spec: its device, evaluation and checkpoint at the same steps, no
    reporting of its own.
    """
    steps_per_epoch = spec.steps_of_epoch(rows)
    every = max(1, math.ceil(steps_per_epoch / spec.evaluations_per_epoch))
    score = metrics_of(spec.task).trained
    found = TrainingArguments(
        output_dir=str(folder / "checkpoints"),
        num_train_epochs=spec.epochs,
        per_device_train_batch_size=spec.batch_size,
        learning_rate=spec.learning_rate,
        weight_decay=spec.weight_decay,
        warmup_steps=math.ceil(spec.warmup_fraction * steps_per_epoch * spec.epochs),
        lr_scheduler_type=SCHEDULERS[spec.schedule],
        max_grad_norm=spec.max_gradient_norm,
        gradient_accumulation_steps=spec.accumulation,
        logging_steps=min(LOG_STEPS, every),
        logging_nan_inf_filter=False,
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        metric_for_best_model=logged(score.name),
        greater_is_better=not score.lower_is_better,
        load_best_model_at_end=False,
        seed=spec.seed,
        data_seed=spec.seed,
        use_cpu=device == devices.CPU,
        ddp_find_unused_parameters=False,
        bf16=bf16,
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        label_names=["labels"],
        report_to="none",
        disable_tqdm=True,
        log_level="error",
    )
    # it would divide each batch among all GPUs that it sees, which only several processes do here
    if found.n_gpu > 1:
        found._n_gpu = 1
    return found
