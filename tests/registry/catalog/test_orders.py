"""A version that puts responses in order: registered, measured, and not served yet."""

from __future__ import annotations

import contextlib
import io
import json
import re

import numpy as np
import pytest

from lifecycle.runtime.refusals import Refused
from registry.catalog import actions as catalog
from registry.catalog import card
from registry.catalog.models import ModelVersion
from registry.promotions import actions as promotions
from registry.promotions.models import PromotionRequest
from tests.support.jobs import run_ok
from tests.support.ranked import ranked_snapshot
from tests.support.registry import STATED, make_endpoint, make_model
from tests.support.tiny_models import make_tiny_base
from tests.support.training import make_run


@pytest.fixture
def version(project, mia) -> ModelVersion:
    model = make_model(project, mia)
    catalog.register(model=model, run=make_run(ranked_snapshot(project, mia), mia), semver="1.0.0", actor=mia, stated=STATED)
    run_ok("default")
    return ModelVersion.objects.get(model=model)


def test_it_is_registered_with_its_own_scores_and_loading_code(version, client_for, mia):
    text = version.cards.get().text
    assert "pipeline_tag: text-ranking" in text
    assert "| Accuracy of pairs |" in text
    assert "| Task | response ranking; a pair is correct if the response people prefer scores higher |" in text
    first, longer = (version.evaluation.report["baselines"][name] for name in ("first", "longer"))
    assert "| Baseline | Accuracy of pairs | Best response first |" in text
    for name, found in (("The first response", first), ("The longer response", longer)):
        assert f"| {name} | {found['pair_accuracy']:.3f} | {found['best_first']:.3f} |" in text

    page = client_for(mia).get(f"/models/versions/{version.uuid}/").content.decode()

    assert "This version ranks responses." in page
    assert "It ranks responses; serving rankings isn&#x27;t supported yet." in page
    for absent in ("int8 served", "fp32 served", "/promotions/new/", "Pre-label a dataset"):
        assert absent not in page
    listed = client_for(mia).get(f"/models/{version.model.uuid}/").content.decode()
    assert "accuracy of pairs</small>" in listed


def test_a_promotion_is_refused_before_anybody_looks_at_it(version, mia):
    endpoint = make_endpoint(version.model, mia)

    with pytest.raises(Refused, match="ranks responses; serving rankings isn't supported yet"):
        promotions.request(version=version, endpoint=endpoint, note="", actor=mia)

    assert not PromotionRequest.objects.exists()


@pytest.mark.engine
def test_the_cards_code_gives_the_strengths_that_were_measured(tmp_path, monkeypatch):
    from lifecycle.runtime.engine import program
    from lifecycle.runtime.engine.predictor import Predictor
    from lifecycle.runtime.task_types.by_key.decoding import decoding_of
    from lifecycle.runtime.task_types.ranking.measures import Ranked
    from lifecycle.runtime.task_types.rows import Rows

    folder = tmp_path / "run"
    folder.mkdir()
    rows = [
        {"id": f"{at:064x}", "text": f"where is my {thing}", "responses": [f"{thing} late", "thanks"], "ranks": [at % 2, 1 - at % 2]}
        for at, thing in enumerate(("card", "refund", "order", "money") * 2)
    ]
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    base = make_tiny_base(tmp_path / "base")
    spec = {"task": "preference", "base": {"path": str(base), "name": "tiny"}, "labels": [], "strategy": {"kind": "full"}}
    rates = {"epochs": 2, "batch_size": 4, "learning_rate": 5e-3, "head_learning_rate": 5e-2, "precision": "fp32", "threads": 1}
    (folder / "spec.json").write_text(json.dumps(spec | rates))
    program._carry_out("train", folder, lambda: False)
    monkeypatch.chdir(folder)
    (folder / "model").symlink_to(folder / "artifact")
    code = re.search(r"```python\n(.*)```", card.loading({"spec": {"task": "preference"}, "strategy": "full"}), re.DOTALL)[1]
    said = io.StringIO()
    asked = Rows(("a",), ("Where is my card?",), (Ranked.of(("It was sent on Monday and takes five days.", "No idea."), (0, 1)),))
    predictor = Predictor(folder / "artifact")
    strengths = decoding_of("preference").decode(predictor.logits(asked), predictor.info.temperature)[0]

    with contextlib.redirect_stdout(said):
        exec(code, {})

    order, chance = said.getvalue().splitlines()
    assert order == str([asked.targets[0].responses[at] for at in np.argsort(strengths)[::-1]])
    assert float(chance.replace("np.float64(", "").rstrip(")")) == pytest.approx(1 / (1 + np.exp(strengths[1] - strengths[0])), abs=1e-6)
