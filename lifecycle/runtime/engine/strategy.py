"""Training strategies: the part of a spec that selects the trainable parameters, and the named choices. No
torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from lifecycle.runtime.engine.document import Document, SpecError, limit

DECODER_STRATEGIES = ("prompt", "p_tuning", "prefix")
STRATEGIES = ("full", "lora", "ia3", "adapter", "head", *DECODER_STRATEGIES)
MERGED = ("full", "lora", "ia3", "head")  # whose weights can be added into the base's
FIXED = {"head": {"learning_rate": 0.0}}  # what a strategy leaves no choice of, by its name


@dataclass(frozen=True)
class Strategy(Document):
    """Which parameters are trained.

    rank, alpha, dora (weights split into size and direction, Liu et al. 2024) and rank_stabilised (scaled by
    alpha / sqrt(rank), Kalajdzievski 2023) are read for LoRA only, dropout for LoRA and adapters, width for
    adapters (of their narrow part) and p-tuning (of the network that makes its prompt), virtual_tokens for
    prompt, p- and prefix tuning, which decoders alone take. target_modules: for LoRA and IA3; null = the
    model's usual ones.
    frozen_layers: the lowest ones, which are frozen with the embeddings. cached: these are run once, without
    dropout, and what they give is kept, so that training runs the others alone.
    """

    kind: str = limit("lora", one_of=STRATEGIES)
    rank: int = limit(8, low=1, high=256)
    alpha: float = limit(16.0, low=0.01, high=1024)
    dropout: float = limit(0.1, low=0.0, high=0.9)
    target_modules: tuple[str, ...] | None = None
    dora: bool = False
    rank_stabilised: bool = False
    width: int = limit(48, low=1, high=4096)
    frozen_layers: int = limit(0, low=0, high=1000)
    cached: bool = False
    virtual_tokens: int = limit(20, low=1, high=1000)

    def _check_whole(self, prefix: str) -> None:
        if self.cached and not self.frozen_layers:
            raise SpecError(
                f"{prefix}cached", "needs at least 1 frozen layer: only frozen layers can be cached."
            )


# settings that go into spec.strategy
INNER = frozenset(each.name for each in fields(Strategy)) - {"kind", "target_modules", "cached"}


def strategy_spec(strategy: str, inner: Mapping[str, Any]) -> dict[str, Any]:
    """What people choose by one name as a spec's strategy: fast_lora is LoRA over layers that are run once.
    inner: settings of INNER.
    """
    return ({"kind": "lora", "cached": True} if strategy == "fast_lora" else {"kind": strategy}) | dict(inner)
