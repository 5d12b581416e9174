"""The pages of models that suggest, as a browser shows them: wide and narrow, light and dark."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from datasets_app.assist import embeddings
from datasets_app.assist import learning as program
from datasets_app.assist.actions.learning import learn
from lifecycle.ground.compute.child import Result
from tests.support.browser import is_accessible, loaded_on_a_phone
from tests.support.jobs import run_ok
from tests.support.labeling import add_items, answer, make_queue, queue_items
from tests.support.training import make_run, make_snapshot

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def queue(project, mia, ana):
    """A queue that the built-in model has ordered, in a dataset with a run."""
    snapshot = make_snapshot(project, mia)
    make_run(snapshot, mia, splits=())
    texts = [f"my {word} question {n}" for n in range(12) for word in ("card", "refund", "login")]
    add_items(snapshot.dataset, mia, texts)
    made = make_queue(snapshot.dataset, mia, order="model")
    for item in queue_items(made)[:12]:
        answer(made, ana, item, item.text.split()[1])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(embeddings, "bundled_minilm", lambda: None)
        here = "datasets_app.assist.actions.learning.run_child"
        patched.setattr(
            here, lambda ctx, verb, folder, *_, **__: Result("succeeded", data=program.fit(folder))
        )
        learn(queue_id=made.uuid, actor=mia)
        run_ok("default")
    return made


def test_the_pages_fit_and_can_be_read_by_everybody(opened, queue, mia):
    suggest = f"/evaluations/pre-label/{queue.dataset.uuid}/?queue={queue.uuid}"

    for name, page in loaded_on_a_phone(
        opened, {"queue": f"/labeling/{queue.uuid}/", "suggest": suggest}, mia
    ):
        is_accessible(page, name)


def test_a_model_is_chosen_and_its_job_is_watched(opened, queue, mia):
    page = opened(f"/evaluations/pre-label/{queue.dataset.uuid}/?queue={queue.uuid}", mia)

    expect(page.get_by_role("radio", name="Run 1")).to_be_checked()
    page.get_by_role("button", name="Pre-label").click()

    expect(page.get_by_text("Pre-label dataset")).to_be_visible()
