"""Every strategy with every recipe on every architecture of the table in docs/strategies.md: a step is taken, and the graph is exported."""

import numpy as np
import pytest

from lifecycle.engine.defaults import IA3_MODELS, STRATEGIES, strategy_spec
from lifecycle.engine.spec import Strategy
from tests.support.architectures import MODELS, make_encoder

pytestmark = pytest.mark.engine
CLASSES = 3
TEXTS = [[3, 4, 5, 6, 7], [8, 9, 10]]
TARGETS = {
    "single_label": np.array([0, 2]),
    "multi_label": np.array([[1, 0, 1], [0, 0, 0]], dtype=bool),
    "spans": [np.array([-100, 1, 2, 0, -100]), np.array([-100, 5, -100])],
    "preference": [np.array([0, 1])],  # of the two texts, as responses of one row
}
INNER = {"fast_lora": {"frozen_layers": 1}, "adapter": {"width": 4}}


@pytest.fixture(scope="module", params=MODELS)
def base(request, tmp_path_factory):
    """The folder of a tiny encoder."""
    folder = tmp_path_factory.mktemp("base") / request.param
    make_encoder(request.param).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("task", TARGETS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_strategy_learns_with_each_recipe_and_can_be_served(strategy, task, base, tmp_path):
    import torch

    from lifecycle.engine.classifier import collate
    from lifecycle.engine.document import SpecError
    from lifecycle.engine.export import export_onnx
    from lifecycle.engine.faults import EngineFault
    from lifecycle.engine.layers import Lowest
    from lifecycle.engine.recipes import RECIPES
    from lifecycle.engine.spec import RANKED, Base, TrainSpec
    from lifecycle.engine.strategies import merged

    recipe, labels, names = RECIPES[task], TARGETS[task], () if task in RANKED else ("a", "b", "c")
    asked = Strategy(**strategy_spec(strategy, INNER.get(strategy, {})))
    fields = {"base": {"path": "base", "name": "base"}, "labels": list(names), "task": task, "strategy": asked.__dict__}
    if task in RANKED and asked.cached:
        with pytest.raises(SpecError, match="must be false where responses are put in order"):
            TrainSpec.from_json(fields)
        return
    spec = TrainSpec(Base("base", "base"), names, task=task, strategy=asked)
    if strategy == "ia3" and base.name not in IA3_MODELS:
        with pytest.raises(EngineFault, match="which weights IA3 scales in it is not known"):
            recipe.build(base, spec, recipe.loss(spec, labels))
        return
    model = recipe.build(base, spec, recipe.loss(spec, labels)).train()
    batch = recipe.pad([TEXTS] if task in RANKED else TEXTS, 1, token_types=False)
    if asked.cached:
        Lowest(model.encoder, asked.frozen_layers).check(**collate(TEXTS, 1, token_types=False))
    learning = {name: each for name, each in model.named_parameters() if each.requires_grad}
    before = {name: each.detach().clone() for name, each in learning.items()}

    model(**batch, labels=recipe.stack(list(labels)))["loss"].backward()
    torch.optim.SGD(learning.values(), lr=0.5).step()

    assert any(not torch.equal(before[name], each) for name, each in learning.items() if name.startswith("head."))
    moved = any(not torch.equal(before[name], each) for name, each in learning.items() if name.startswith("encoder."))
    assert moved is (strategy != "head")
    if task != "multi_label":  # whose graph is that of one label a text
        assert export_onnx(merged(model.eval()), tmp_path / f"{task}.onnx", ("input_ids", "attention_mask")) < 1e-4
