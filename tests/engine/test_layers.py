"""The lowest layers of an encoder, run alone and detached, on every architecture that the docs name."""

import pytest

from lifecycle.runtime.engine.strategy import Strategy
from lifecycle.runtime.engine.task_types.by_key.settings import settings_of
from tests.support.architectures import MODELS, SHAPE, make_encoder
from tests.support.faults import fault, wrong_setting

pytestmark = pytest.mark.engine


@pytest.fixture(params=MODELS)
def encoder(request):
    """An encoder of three random layers."""
    return make_encoder(request.param)


@pytest.fixture
def batch():
    """Two texts of different lengths."""
    from lifecycle.runtime.engine.classifier import collate

    return collate([[3, 4, 5, 6, 7], [8, 9, 10]], 1, token_types=False)


def test_layers_above_make_of_what_those_below_gave_what_the_whole_makes(encoder, batch):
    import torch

    from lifecycle.runtime.engine.layers import Lowest

    real = batch["attention_mask"].bool()
    with torch.no_grad():
        whole = encoder(**batch).last_hidden_state[real]
        lowest = Lowest(encoder, 2)
        hidden = lowest.run(**batch)
        lowest.detach()
        lowest.given.hidden = hidden
        above = encoder(**batch).last_hidden_state[real]
        few = sum(each.numel() for each in encoder.parameters())
        lowest.restore()
        again = encoder(**batch).last_hidden_state[real]

    assert torch.allclose(above, whole, atol=1e-5)
    assert torch.equal(again, whole)
    assert few < sum(each.numel() for each in encoder.parameters()) / 2


def test_adapters_begin_as_if_they_were_not_there(encoder, batch):
    import torch

    from lifecycle.runtime.engine.adapters import add_adapters

    with torch.no_grad():
        before = encoder(**batch).last_hidden_state
        after = add_adapters(encoder, width=4)(**batch).last_hidden_state

    assert torch.equal(after, before)
    assert {name.rsplit(".", 3)[1] for name, each in encoder.named_parameters() if each.requires_grad} == {
        "adapter"
    }


def test_adapters_are_restored_from_their_files(encoder, batch, tmp_path):
    import copy

    import torch

    from lifecycle.runtime.engine.adapters import add_adapters, load_adapters, save_adapters

    plain = copy.deepcopy(encoder)
    add_adapters(encoder, width=4)
    for name, each in encoder.named_parameters():
        if ".adapter." in name:
            torch.nn.init.normal_(each)
    save_adapters(encoder, tmp_path, "a base")

    with torch.no_grad():
        assert torch.equal(
            load_adapters(plain, tmp_path)(**batch).last_hidden_state, encoder(**batch).last_hidden_state
        )


def test_freezing_all_layers_is_refused(encoder):
    from lifecycle.runtime.engine.layers import freeze_lowest

    with wrong_setting("strategy.frozen_layers", "3"):
        freeze_lowest(encoder, 3)

    assert all(each.requires_grad for each in encoder.parameters())


@pytest.mark.parametrize(
    ("config", "model", "more"),
    [
        ("DebertaV2Config", "DebertaV2Model", {"conv_kernel_size": 3}),
        ("ElectraConfig", "ElectraModel", {"embedding_size": 16}),
    ],
)
def test_layers_that_need_more_than_what_those_below_gave_are_refused(config, model, more, batch):
    import torch
    import transformers

    from lifecycle.runtime.engine.layers import Lowest

    torch.manual_seed(5)
    encoder = getattr(transformers, model)(getattr(transformers, config)(**SHAPE, **more)).eval()
    before = encoder(**batch).last_hidden_state

    with wrong_setting("strategy.cached", model):
        Lowest(encoder, 2).check(**batch)

    assert torch.equal(encoder(**batch).last_hidden_state, before)


def test_a_base_without_separate_embeddings_is_refused():
    import transformers

    from lifecycle.runtime.engine.layers import freeze_lowest

    model = transformers.Qwen2Model(transformers.Qwen2Config(**SHAPE, num_key_value_heads=2))

    with wrong_setting("strategy.frozen_layers", "Qwen2Model"):
        freeze_lowest(model, 1)


def test_a_projection_behind_the_embeddings_is_frozen_with_them():
    import transformers

    from lifecycle.runtime.engine.layers import freeze_lowest

    encoder = transformers.ElectraModel(transformers.ElectraConfig(**SHAPE, embedding_size=16))
    freeze_lowest(encoder, 1)

    assert not any(each.requires_grad for each in encoder.embeddings_project.parameters())


def test_layers_that_share_their_weights_are_refused():
    import transformers

    from lifecycle.runtime.engine.layers import layers_of

    config = transformers.AlbertConfig(**SHAPE, embedding_size=32, num_hidden_groups=1)

    with wrong_setting("strategy.kind", "AlbertModel"):
        layers_of(transformers.AlbertModel(config))


def test_what_ia3_scales_is_known_or_refused(encoder):
    from lifecycle.runtime.engine.strategies import ia3_config

    if encoder.config.model_type in settings_of("single_label").ia3_models:
        assert "output.dense" in ia3_config(encoder, Strategy(kind="ia3")).target_modules
        return
    with fault("base_missing", "IA3"):
        ia3_config(encoder, Strategy(kind="ia3"))
