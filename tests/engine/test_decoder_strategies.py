"""Every strategy of decoders on every architecture of the table in docs/strategies.md: a step is taken, and
what is kept answers alike.
"""

from types import SimpleNamespace

import pytest

from lifecycle.runtime.engine.strategy import Strategy
from lifecycle.runtime.engine.task_types.by_key.settings import settings_of
from tests.support.faults import wrong_setting
from tests.support.tiny_decoders import ARCHITECTURES, QUESTIONS, make_tiny_decoder

pytestmark = pytest.mark.engine
GENERATION = settings_of("generation")
INNER = {
    "prompt": {"virtual_tokens": 4},
    "p_tuning": {"virtual_tokens": 4, "width": 8},
    "prefix": {"virtual_tokens": 4},
}


@pytest.fixture(scope="module", params=ARCHITECTURES)
def base(request, tmp_path_factory):
    return make_tiny_decoder(tmp_path_factory.mktemp("base") / request.param, architecture=request.param)


def examples_of(base):
    from lifecycle.runtime.engine.strategies import load_tokenizer
    from lifecycle.runtime.engine.task_types.generation.prompts import encode_examples, find_frame

    tokenizer = load_tokenizer(base)
    return encode_examples(tokenizer, find_frame(tokenizer), *zip(*QUESTIONS, strict=True), 64)


def settings():
    plain = [(kind, INNER.get(kind, {})) for kind in GENERATION.strategies]
    return [
        *plain,
        ("lora", {"dora": True}),
        ("lora", {"rank_stabilised": True}),
        ("lora", {"frozen_layers": 1}),
        ("full", {"frozen_layers": 1}),
    ]


@pytest.mark.parametrize(("kind", "inner"), settings(), ids=str)
def test_a_strategy_trains_and_the_saved_model_is_the_same(kind, inner, base, tmp_path):
    import torch

    from lifecycle.runtime.engine.decoders import Decoder, build_decoder, open_decoder, save_decoder
    from lifecycle.runtime.engine.task_types.generation.answering import collate_examples, measure_losses

    torch.manual_seed(0)
    examples = examples_of(base)
    model = build_decoder(base, Strategy(kind, dropout=0.0, **inner)).train()
    learning = {name: each for name, each in model.named_parameters() if each.requires_grad}
    before = {name: each.detach().clone() for name, each in learning.items()}
    first = measure_losses(model, examples, 1, 8).mean
    optimizer = torch.optim.AdamW(learning.values(), lr=2e-2)
    model.train()
    for _ in range(8):
        model(**collate_examples(examples, 1))["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()

    last = measure_losses(model, examples, 1, 8).mean
    assert any(not torch.equal(before[name], each) for name, each in learning.items())
    assert last < first
    save_decoder(tmp_path / "artifact", model)
    opened = open_decoder(tmp_path / "artifact", base, SimpleNamespace(strategy=kind, base_name="tiny"))
    assert measure_losses(Decoder(opened), examples, 1, 8).mean == pytest.approx(last, rel=1e-4)


@pytest.mark.parametrize("kind", [kind for kind in GENERATION.strategies if kind != "full"])
def test_the_number_of_weights_that_learn_is_reported_before(kind, tmp_path):
    from lifecycle.runtime.engine.base import open_base
    from lifecycle.runtime.engine.decoders import build_decoder
    from lifecycle.runtime.engine.strategies import counts

    folder = make_tiny_decoder(tmp_path / "base", architecture="mistral")
    found = open_base(folder)
    facts = {
        "architecture": found.model_type,
        "hidden_size": found.hidden_size,
        "layers": found.layers,
        "kv_size": found.kv_size,
        "inner_size": found.inner_size,
    }
    inner = {name: choice.value for name, choice in GENERATION.inner(kind).items()}

    made = build_decoder(folder, Strategy(kind, **inner))

    assert found.decoder
    assert GENERATION.trainable(kind, facts, 0, inner) == counts(made)[0]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"kind": "head"}, "strategy.kind"),
        ({"kind": "adapter"}, "strategy.kind"),
        (
            {"kind": "lora", "cached": True, "frozen_layers": 1},
            "strategy.cached",
        ),
        ({"kind": "lora", "frozen_layers": 2}, "strategy.frozen_layers"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_field(fields, name, tmp_path):
    from lifecycle.runtime.engine.decoders import build_decoder

    with wrong_setting(name):
        build_decoder(make_tiny_decoder(tmp_path / "base"), Strategy(**fields))


def test_prefix_tuning_does_not_go_with_checkpointing(tmp_path):
    from lifecycle.runtime.engine.decoders import build_decoder

    with wrong_setting("gradient_checkpointing", "prefix"):
        build_decoder(make_tiny_decoder(tmp_path / "base"), Strategy("prefix"), checkpointing=True)


def test_ia3_is_offered_where_peft_has_a_mapping():
    from peft.utils.constants import TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING

    assert set(GENERATION.ia3_models) <= set(TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING)
