"""The table in docs/strategies.md: a strategy takes a step with a task on an architecture, and the graph is
exported.

Any two of the three meet in a case; `make tables` runs the whole product.
"""

from itertools import product

import numpy as np
import pytest

from lifecycle.runtime.engine.spec import Base, TrainSpec
from lifecycle.runtime.engine.strategy import Strategy, strategy_spec
from lifecycle.runtime.engine.task_types.by_key.settings import settings_of
from lifecycle.runtime.task_types.by_key.types import keys_with, type_of
from tests.support.architectures import MODELS, make_encoder
from tests.support.faults import fault, wrong_setting
from tests.support.pairs import chosen

pytestmark = pytest.mark.engine
TEXTS = [[3, 4, 5, 6, 7], [8, 9, 10]]
TARGETS = {
    "single_label": np.array([0, 2]),
    "multi_label": np.array([[1, 0, 1], [0, 0, 0]], dtype=bool),
    "spans": [np.array([-100, 1, 2, 0, -100]), np.array([-100, 5, -100])],
    "preference": [np.array([0, 1])],  # of the two texts, as responses of one row
}
INNER = {"fast_lora": {"frozen_layers": 1}, "adapter": {"width": 4}}


SINGLE = settings_of("single_label")
UNKNOWN_TO_IA3 = [name for name in MODELS if name not in SINGLE.ia3_models]


def settings(strategy: str) -> Strategy:
    return Strategy(**strategy_spec(strategy, INNER.get(strategy, {})))


def spec_of(strategy: str, task: str) -> TrainSpec:
    names = () if type_of(task).has_responses else ("a", "b", "c")
    return TrainSpec(Base("base", "base"), names, task=task, strategy=settings(strategy))


def goes_together(strategy: str, task: str, architecture: str) -> bool:
    """Whether it can be trained; all else is refused in the tests below."""
    return not (settings(strategy).cached and type_of(task).has_responses) and not (
        strategy == "ia3" and architecture in UNKNOWN_TO_IA3
    )


@pytest.fixture(scope="module")
def base_of(tmp_path_factory):
    """The folder of a tiny encoder, made at its first use: base_of("bert")."""
    folder = tmp_path_factory.mktemp("base")

    def base_of(architecture):
        if not (folder / architecture).exists():
            make_encoder(architecture).save_pretrained(folder / architecture)
        return folder / architecture

    return base_of


def built(strategy, task, base):
    """The model to train."""
    from lifecycle.runtime.engine.task_types.by_key.learners import learner_of

    learner, spec = learner_of(task), spec_of(strategy, task)
    return learner.build(base, spec, learner.loss(spec, TARGETS[task]))


@pytest.mark.parametrize(
    ("strategy", "task", "architecture"),
    chosen(each for each in product(SINGLE.strategies, TARGETS, MODELS) if goes_together(*each)),
)
def test_a_strategy_learns_with_each_recipe_and_can_be_served(
    strategy, task, architecture, base_of, tmp_path
):
    import torch

    from lifecycle.runtime.engine.classifier import collate
    from lifecycle.runtime.engine.export import export_onnx
    from lifecycle.runtime.engine.layers import Lowest
    from lifecycle.runtime.engine.strategies import merged
    from lifecycle.runtime.engine.task_types.by_key.learners import learner_of

    learner, asked = learner_of(task), settings(strategy)
    model = built(strategy, task, base_of(architecture)).train()
    batch = learner.pad([TEXTS] if type_of(task).has_responses else TEXTS, 1, token_types=False)
    if asked.cached:
        Lowest(model.encoder, asked.frozen_layers).check(**collate(TEXTS, 1, token_types=False))
    learning = {name: each for name, each in model.named_parameters() if each.requires_grad}
    before = {name: each.detach().clone() for name, each in learning.items()}

    model(**batch, labels=learner.stack(list(TARGETS[task])))["loss"].backward()
    torch.optim.SGD(learning.values(), lr=0.5).step()

    assert any(
        not torch.equal(before[name], each) for name, each in learning.items() if name.startswith("head.")
    )
    moved = any(
        not torch.equal(before[name], each) for name, each in learning.items() if name.startswith("encoder.")
    )
    assert moved is (strategy != "head")
    assert (
        export_onnx(merged(model.eval()), tmp_path / f"{task}.onnx", ("input_ids", "attention_mask")) < 1e-4
    )


@pytest.mark.parametrize(("task", "architecture"), chosen(product(TARGETS, UNKNOWN_TO_IA3)))
def test_ia3_refuses_an_architecture_of_which_it_is_not_known_what_it_scales(task, architecture, base_of):

    with fault("base_missing", "IA3"):
        built("ia3", task, base_of(architecture))


@pytest.mark.parametrize("task", keys_with("has_responses"))
def test_what_keeps_the_lower_layers_is_refused_where_responses_are_put_in_order(task):
    fields = {
        "base": {"path": "base", "name": "base"},
        "labels": [],
        "task": task,
        "strategy": settings("fast_lora").__dict__,
    }

    with wrong_setting("strategy.cached", "ranking"):
        TrainSpec.from_json(fields)
