"""A decoder's answers: greedy, many prompts at a time, padded on the left; and the loss of given answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import PeftModel, PeftType
from torch import Tensor, nn

from lifecycle.runtime.engine.classifier import length_batches
from lifecycle.runtime.engine.data import NOT_COUNTED
from lifecycle.runtime.engine.devices import beside
from lifecycle.runtime.engine.task_types.generation.prompts import Example

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Losses:
    """Of given answers: the loss (nats) of each row's answer added up (N,), how many tokens it has (N,), the
    end-of-text token too.
    """

    nats: Floats
    tokens: Floats

    @property
    def mean(self) -> float:
        """Of a token."""
        return float(self.nats.sum() / max(self.tokens.sum(), 1.0))


@dataclass(frozen=True)
class Answer:
    """A generated answer. cut: whether it reached the length limit without an end token."""

    text: str
    cut: bool = False


def collate_examples(examples: Sequence[Example], pad_id: int) -> dict[str, Tensor]:
    """Padded on the right: input_ids, attention_mask and labels, each int64 (B, T)."""
    width = max(len(each.ids) for each in examples)
    ids = torch.full((len(examples), width), pad_id, dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, NOT_COUNTED)
    for row, each in enumerate(examples):
        ids[row, : len(each.ids)], labels[row, : len(each.ids)] = (
            torch.tensor(each.ids),
            torch.tensor(each.labels),
        )
        mask[row, : len(each.ids)] = 1
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def token_losses(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """(nats, counted tokens), each (B,). logits: (B, K, V) of the last K places, of which virtual ones before
    the ids do not count; labels: (B, T), of which those that count lie behind the first of these places.
    """
    places = min(logits.shape[1], labels.shape[1])
    shifted = logits[:, logits.shape[1] - places : -1].float()
    wanted = labels[:, labels.shape[1] - places + 1 :]
    # (B, K - 1)
    losses = nn.functional.cross_entropy(
        shifted.transpose(1, 2), wanted, ignore_index=NOT_COUNTED, reduction="none"
    )
    return losses.sum(dim=1), (wanted != NOT_COUNTED).sum(dim=1)


@torch.no_grad()
def measure_losses(
    model: Any,
    examples: Sequence[Example],
    pad_id: int,
    at_once: int,
    cancelled: Callable[[], bool] = lambda: False,
) -> Losses:
    """The loss of every example's answer, without dropout, long ones together. model: a Decoder. cancelled:
    asked between batches; what is left is then 0.
    """
    model.eval()
    found = Losses(np.zeros(len(examples)), np.zeros(len(examples)))
    for rows in length_batches([len(each.ids) for each in examples], at_once):
        if cancelled():
            break
        batch = beside(model, collate_examples([examples[row] for row in rows], pad_id))
        nats, tokens = token_losses(model(**batch)["logits"], batch["labels"])
        found.nats[rows], found.tokens[rows] = nats.double().cpu().numpy(), tokens.double().cpu().numpy()
    return found


@torch.no_grad()
def answer(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    *,
    end: int,
    pad_id: int,
    max_new_tokens: int,
    at_once: int,
    progress: Callable[[int], None] = lambda count: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[Answer]:
    """The greedy answer to each prompt, without the token that ends it. The likeliest token each time, so the
    same input, the same answer.

    prompts: ids in their frames. end: the token that ends an answer, besides those of `ends_of` the model.
    progress: called with how many are answered. cancelled: asked between batches; what is left is then empty.
    """
    model.eval()
    ends, found = sorted({end, *ends_of(model)}), [Answer("")] * len(prompts)
    done = 0
    for rows in length_batches([len(each) for each in prompts], at_once):
        if cancelled():
            break
        width = max(len(prompts[row]) for row in rows)
        ids = torch.full((len(rows), width), pad_id, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for at, row in enumerate(rows):
            ids[at, width - len(prompts[row]) :] = torch.tensor(prompts[row])
            mask[at, width - len(prompts[row]) :] = 1
        given = beside(model, {"ids": ids, "mask": mask})
        made = _generate(
            model,
            given["ids"],
            given["mask"],
            max_new_tokens=max_new_tokens,
            do_sample=False,
            num_beams=1,
            temperature=None,
            top_p=None,
            top_k=None,
            repetition_penalty=1.0,
            eos_token_id=ends,
            pad_token_id=pad_id,
            use_cache=True,
        )
        for row, each in zip(rows, made.tolist(), strict=True):
            length = next((at for at, token in enumerate(each) if token in ends), None)
            found[row] = Answer(
                tokenizer.decode(each[:length], skip_special_tokens=True).strip(), length is None
            )
        done += len(rows)
        progress(done)
    return found


def ends_of(model: Any) -> tuple[int, ...]:
    """The tokens at which a model's own generation_config ends an answer: none, one or several. Chat models
    end a turn by another token than a text, and only one of the two is their tokenizer's.
    """
    base = model.get_base_model() if isinstance(model, PeftModel) else model
    ids = base.generation_config.eos_token_id
    return () if ids is None else tuple(map(int, ids)) if isinstance(ids, list | tuple) else (int(ids),)


def _generate(model: Any, ids: Tensor, mask: Tensor, **options: Any) -> Tensor:
    """What follows the prompts (B, new). Virtual tokens are prepended here: with PEFT's own generate,
    transformers gives other answers than the trained model, from the second token on.
    """
    virtual = isinstance(model, PeftModel) and model.active_peft_config.is_prompt_learning
    if not virtual:
        return model.generate(input_ids=ids, attention_mask=mask, **options)[:, ids.shape[1] :]  # type: ignore[no-any-return]
    base, count = model.get_base_model(), model.active_peft_config.num_virtual_tokens
    known = torch.cat((mask.new_ones((len(ids), count)), mask), dim=1)
    given = model.get_prompt(batch_size=len(ids))
    # keys and values of tokens that count as read
    if model.active_peft_config.peft_type == PeftType.PREFIX_TUNING:
        seen = ids.new_full((len(ids), count), options["pad_token_id"])
        made = base.generate(
            input_ids=torch.cat((seen, ids), dim=1), attention_mask=known, cache=given, **options
        )
        return made[:, count + ids.shape[1] :]  # type: ignore[no-any-return]
    embedded = torch.cat((given, base.get_input_embeddings()(ids)), dim=1)
    return base.generate(inputs_embeds=embedded, attention_mask=known, **options)  # type: ignore[no-any-return]
