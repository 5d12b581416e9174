"""The real engine, a tiny model: a run that was just trained suggests labels through the warm process."""

from __future__ import annotations

import pytest

from datasets_app.labeling.models import Suggestion
from lifecycle.modeling.evaluation import actions, suggesters
from lifecycle.modeling.training import actions as training
from tests.support.jobs import run_ok
from tests.support.labeling import add_items, make_queue
from tests.support.tiny_models import make_tiny_base
from tests.support.training import make_base, make_snapshot

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


def test_a_trained_run_suggests_what_it_has_learnt(project, mia, tmp_path, warm_engine):
    snapshot = make_snapshot(project, mia)
    base = make_base(project, mia, folder=make_tiny_base(tmp_path / "base"))
    options = {"epochs": 12, "batch_size": 8, "learning_rate": 5e-3, "head_learning_rate": 0.02, "precision": "fp32", "patience": 0}
    run = training.launch(snapshot=snapshot, base=base, strategy="full", actor=mia, options=options)
    run_ok("training", "evaluation")
    add_items(snapshot.dataset, mia, ["my card is lost 7", "password reset 7", "money back please 7"])
    queue = make_queue(snapshot.dataset, mia)

    actions.suggest(dataset=snapshot.dataset, model=suggesters.get_model(mia, "run", run.uuid), actor=mia, queue=queue)
    run_ok("default")

    rows = Suggestion.objects.filter(source="run").order_by("item", "-score", "id").values_list("item", "label__name", "score")
    best = {item: (name, score) for item, name, score in reversed(rows)}
    assert [name for name, _ in best.values()][::-1] == ["card", "login", "refund"]
    assert all(0.34 < score <= 1 for _, score in best.values())
