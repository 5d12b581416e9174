"""The choice of a token from the logits of a decoder."""

from __future__ import annotations

import torch
from torch import Tensor

from lifecycle.runtime.generation.rules import Sampling, Token


def choose(logits: Tensor, sampling: Sampling, chance: torch.Generator | None) -> Token:
    """A token of the vocabulary. logits: (V,), finite.

    temperature divides the logits; top_p keeps the fewest likeliest tokens whose probabilities add up to it
    (nucleus sampling, Holtzman et al. 2020, arXiv:1904.09751).
    """
    if sampling.temperature == 0:
        chosen = int(logits.argmax())
    else:
        probabilities = torch.softmax(logits.double() / sampling.temperature, dim=-1)
        chosen = int(torch.multinomial(nucleus(probabilities, sampling.top_p), 1, generator=chance))
    logs = torch.log_softmax(logits, dim=-1)
    best = torch.topk(logs, min(sampling.alternatives, len(logs)))
    return Token(
        chosen, float(logs[chosen]), tuple(zip(best.indices.tolist(), best.values.tolist(), strict=True))
    )


def nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """The probabilities (V,), 0 for tokens beyond the first that reach top_p; the likeliest one always
    stays.
    """
    if top_p >= 1:
        return probabilities
    sorted_down, order = probabilities.sort(descending=True)
    before = sorted_down.cumsum(0) - sorted_down
    kept = torch.zeros_like(probabilities)
    kept[order] = torch.where(before < top_p, sorted_down, 0.0)
    return kept


def generator(sampling: Sampling) -> torch.Generator | None:
    """Chance of an answer's own; None where it needs none."""
    if sampling.temperature == 0:
        return None
    made = torch.Generator()
    if sampling.seed is None:
        made.seed()
    else:
        made.manual_seed(sampling.seed)
    return made
