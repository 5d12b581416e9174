"""The built-in model with the real base model, through the warm engine and a child process."""

from __future__ import annotations

import pytest

from datasets_app.assist import embeddings
from datasets_app.assist.actions.learning import learn
from datasets_app.assist.queries import learning
from datasets_app.queues.actions.claims import claim
from lifecycle.runtime.engine.base import bundled_minilm
from tests.support.jobs import run_ok
from tests.support.labeling import answer, make_dataset, make_queue, queue_items

pytestmark = [
    pytest.mark.engine,
    pytest.mark.django_db,
    pytest.mark.skipif(bundled_minilm() is None, reason="the package with all-MiniLM-L6-v2 is not installed"),
]
CARD = [
    "Where is my new card?",
    "My card has not arrived yet",
    "When will the card come?",
    "I lost my card",
    "My card is broken",
]
MONEY = [
    "I want my money back",
    "Can I get a refund?",
    "Please return the payment",
    "You charged me twice",
    "Cancel the payment",
]


def test_it_learns_meanings_from_ten_texts(project, mia, ana, warm_engine):
    open_ = ["The bank card still did not show up", "Refund me", "Give back what I paid for the card"]
    dataset = make_dataset(project, mia, [*CARD, *MONEY, *open_])
    queue = make_queue(dataset, mia, schema=("card", "money"), order="model")
    for item in queue_items(queue)[:10]:
        answer(queue, ana, item, "card" if item.text in CARD else "money")

    learn(queue_id=queue.uuid, actor=mia)
    run_ok("default")

    fit = learning.last_fit(dataset)
    assert (fit.features, fit.base_name, fit.rows) == ("vectors", "all-MiniLM-L6-v2", 10)
    assert fit.base_digest == embeddings.packaged_base().digest
    assert fit.figures["right"] >= 8
    first = claim(queue_id=queue.uuid, actor=ana, k=1)[0].item.text
    assert first == "Give back what I paid for the card"
    suggested = dict(
        dataset.items.filter(suggestions__score__gt=0.5).values_list("text", "suggestions__label__name")
    )
    assert suggested["The bank card still did not show up"] == "card"
    assert suggested["Refund me"] == "money"
