"""A text encoder whose token vectors are pooled and read by one linear head, for transformers with
trust_remote_code=True.

It is beside the weights that it reads, since no class of the library's own computes the same: those of BERT
and its kin send the first token's vector through a layer that this model does not have. It needs torch and
transformers and asks nothing of a network.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput


class LifecycleConfig(PretrainedConfig):  # type: ignore[misc]
    """encoder: the configuration of the text encoder. pooling: mean or cls. adapter_width: of the bottleneck
    adapters behind its layers, 0 where it has none. reads_pairs: two texts are distinguished by their
    separator alone. Labels and problem type are the library's.
    """

    model_type = "lifecycle"

    def __init__(
        self,
        encoder: dict[str, Any] | None = None,
        pooling: str = "mean",
        adapter_width: int = 0,
        reads_pairs: bool = False,
        **more: Any,
    ) -> None:
        self.encoder, self.pooling, self.adapter_width, self.reads_pairs = (
            dict(encoder or {}),
            pooling,
            adapter_width,
            reads_pairs,
        )
        super().__init__(**more)


class Bottleneck(nn.Module):
    """h + up(gelu(down(h))), behind a layer."""

    def __init__(self, hidden: int, width: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(hidden, width), nn.Linear(width, hidden)

    def forward(self, hidden: Tensor) -> Tensor:
        """float (B, T, H) to the same."""
        added: Tensor = hidden + self.up(nn.functional.gelu(self.down(hidden)))
        return added


def _through(layer: Any, _: Any, output: Any) -> Any:
    return (layer.adapter(output[0]), *output[1:]) if isinstance(output, tuple) else layer.adapter(output)


class LifecycleForSequenceClassification(PreTrainedModel):  # type: ignore[misc]
    """Softmax of its logits, or sigmoid where a text may have several labels, gives calibrated probabilities:
    the temperature is in the head's weights.
    """

    config_class = LifecycleConfig
    _supports_sdpa = True

    def __init__(self, config: LifecycleConfig) -> None:
        super().__init__(config)
        inner = AutoConfig.for_model(**config.encoder)
        self.encoder = AutoModel.from_config(inner)
        if getattr(self.encoder, "pooler", None) is not None and config.pooling != "pooler":
            self.encoder.pooler = None
        if config.adapter_width:
            layers = next(
                each
                for each in self.encoder.modules()
                if isinstance(each, nn.ModuleList) and len(each) == inner.num_hidden_layers
            )
            for layer in layers:
                layer.adapter = Bottleneck(inner.hidden_size, config.adapter_width)
                layer.register_forward_hook(_through)
        self.classifier = nn.Linear(inner.hidden_size, config.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        **_: Any,
    ) -> Any:
        """Logits (B, C) of token ids (B, T), and the loss where labels are given."""
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        given = {"input_ids": input_ids, "attention_mask": mask}
        if token_type_ids is not None:
            given["token_type_ids"] = (
                torch.zeros_like(input_ids) if self.config.reads_pairs else token_type_ids
            )
        output = self.encoder(**given)
        if self.config.pooling == "pooler":
            pooled = output.pooler_output
        elif self.config.pooling == "cls":
            pooled = output.last_hidden_state[:, 0]
        else:
            weights = mask.unsqueeze(-1).to(output.last_hidden_state.dtype)
            pooled = (output.last_hidden_state * weights).sum(1) / weights.sum(1).clamp(min=1)
        logits = self.classifier(pooled)
        loss = None
        if labels is not None and self.config.problem_type == "multi_label_classification":
            loss = nn.functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
        elif labels is not None:
            loss = nn.functional.cross_entropy(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)
