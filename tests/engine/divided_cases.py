"""What is divided in one test each: strategies that can be, on architectures of the tables in
docs/strategies.md. No torch.

Any two of architecture, strategy and task meet in a case; `make tables` divides the whole product.
"""

from lifecycle.runtime.engine.task_types.by_key.settings import settings_of
from tests.support.architectures import MODELS
from tests.support.pairs import chosen
from tests.support.tiny_decoders import ARCHITECTURES

INNER = {
    "adapter": {"width": 4},
    "prompt": {"virtual_tokens": 4},
    "p_tuning": {"virtual_tokens": 4, "width": 8},
    "prefix": {"virtual_tokens": 4},
}
ENCODING = chosen(
    (architecture, kind, task)
    for architecture in MODELS
    for kind in ("lora", "full", "ia3", "adapter")
    for task in ("single_label", "multi_label", "spans", "preference")
    if kind != "ia3" or architecture in settings_of("single_label").ia3_models
)
DECODING = chosen(
    (architecture, kind, "generation")
    for architecture in ARCHITECTURES
    for kind in settings_of("generation").strategies
)


def name_of(architecture, kind, task):
    """What a case is called in what is found."""
    return f"{architecture}-{kind}-{task}"
