"""Every strategy with every recipe on every architecture of the table in docs/strategies.md: a step is taken, and the graph is exported."""

import copy

import numpy as np
import pytest

from lifecycle.engine.defaults import IA3_MODELS, STRATEGIES, strategy_spec
from lifecycle.engine.spec import Strategy
from tests.support.architectures import MODELS, make_encoder

pytestmark = pytest.mark.engine
CLASSES = 3
TARGETS = {"single_label": np.array([0, 2]), "multi_label": np.array([[1, 0, 1], [0, 0, 0]], dtype=bool)}
TAGS = [np.array([-100, 1, 2, 0, -100]), np.array([-100, 5, -100])]  # what tokens of marked parts are labelled
INNER = {"fast_lora": {"frozen_layers": 1}, "adapter": {"width": 4}}


@pytest.fixture(scope="module", params=MODELS)
def base(request, tmp_path_factory):
    """The folder of a tiny encoder."""
    folder = tmp_path_factory.mktemp("base") / request.param
    make_encoder(request.param).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_strategy_learns_with_each_recipe_and_can_be_served(strategy, base, tmp_path):
    import torch

    from lifecycle.engine.classifier import collate
    from lifecycle.engine.export import export_onnx
    from lifecycle.engine.faults import EngineFault
    from lifecycle.engine.layers import Lowest
    from lifecycle.engine.recipes import RECIPES
    from lifecycle.engine.spec import Base, TrainSpec
    from lifecycle.engine.strategies import build, merged

    asked = Strategy(**strategy_spec(strategy, INNER.get(strategy, {})))
    if strategy == "ia3" and base.name not in IA3_MODELS:
        with pytest.raises(EngineFault, match="which weights IA3 scales in it is not known"):
            build(base, asked, "mean", CLASSES)
        return
    plain = build(base, asked, "mean", CLASSES)
    batch = collate([[3, 4, 5, 6, 7], [8, 9, 10]], 1, token_types=False)
    if asked.cached:
        Lowest(plain.encoder, asked.frozen_layers).check(**batch)
    for task in TARGETS:
        recipe, model = RECIPES[task], copy.deepcopy(plain).train()
        labels = TAGS if task == "spans" else TARGETS[task]
        spec = TrainSpec(Base("base", "base"), ("a", "b", "c"), task=task, strategy=asked)
        model = recipe.build(base, spec, recipe.loss(spec, labels)).train() if task == "spans" else model
        model.loss = recipe.loss(spec, labels)
        learning = {name: each for name, each in model.named_parameters() if each.requires_grad}
        before = {name: each.detach().clone() for name, each in learning.items()}

        model(**batch, labels=recipe.stack(list(labels)))["loss"].backward()
        torch.optim.SGD(learning.values(), lr=0.5).step()

        assert any(not torch.equal(before[name], each) for name, each in learning.items() if name.startswith("head."))
        moved = any(not torch.equal(before[name], each) for name, each in learning.items() if name.startswith("encoder."))
        assert moved is (strategy != "head")
        if recipe.network.is_ragged or task == "single_label":  # graphs of one vector a text are alike
            assert export_onnx(merged(model), tmp_path / f"{task}.onnx", ("input_ids", "attention_mask")) < 1e-4
