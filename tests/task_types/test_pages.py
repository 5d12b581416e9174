"""The pages of a run of each type, from the form that launches it to its version, fit both widths and can be
read by everybody.
"""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from lifecycle.modeling.evaluation import actions
from lifecycle.modeling.evaluation.models import Analysis
from lifecycle.modeling.evaluation.task_types.by_key.pages import page_of
from lifecycle.modeling.evaluation.task_types.by_key.rows import rows_for
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.by_key.types import type_of
from registry.catalog import actions as catalog
from registry.catalog.models import ModelVersion
from tests.browser.test_evaluation_pages import CUT, PAPER
from tests.support import probes
from tests.support.browser import is_accessible, loaded_on_a_phone
from tests.support.evaluations import made_probes
from tests.support.jobs import run_ok
from tests.support.registry import STATED, make_model
from tests.task_types.examples import TRAINED

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
# tests/browser covers the first; the second has the pages of rankings
ELSEWHERE = ("single_label", "preference")


def explained(evaluation, user) -> str:
    """An item whose words are found."""
    for item in probes.items_of(evaluation):
        try:
            rows_for(evaluation).explain_row(evaluation, item)
        except Refused:
            continue
        actions.analyse(evaluation=evaluation, kind=Analysis.Kind.WORDS, actor=user, item=item)
        return item
    raise AssertionError


@pytest.mark.parametrize("task", [task for task in TRAINED if task not in ELSEWHERE])
def test_the_pages_fit_and_can_be_read_by_everybody(task, opened, engine, project, mia):
    kind, first = type_of(task), probes.measured(task, project, mia)
    second = probes.evaluated(first.snapshot, mia, share=0.9, seed=2, base=first.run.base)
    flips = [
        probes.flip(task, item, probe, at / 10)
        for at, item in enumerate(probes.items_of(first)[:4])
        for probe in ("typos", "half")
    ]
    made_probes(first, mia, flips)
    item = explained(first, mia)
    catalog.register(model=make_model(project, mia), run=second.run, semver="1.0.0", actor=mia, stated=STATED)
    run_ok("default", "training", "evaluation")
    chosen = f"dataset_version={first.snapshot.uuid}{'&strategy=prompt' * kind.writes_text}"
    pages = {
        "launch": f"/runs/launch/?{chosen}",
        "run": f"/runs/{first.run.uuid}/",
        "of-run": f"/evaluations/run/{first.run.uuid}/",
        "report": f"/evaluations/{first.uuid}/",
        "rows": reverse(page_of(first).address, args=[first.uuid]),
        "words": f"/evaluations/{first.uuid}/attribution/?item={item}",
        "groups": f"/evaluations/{first.uuid}/slices/?column=fact:file",
        "group": f"/evaluations/{first.uuid}/slices/items/?column=fact:file&group=0",
        "robustness": f"/evaluations/{first.uuid}/robustness/?probe=typos",
        "compare": f"/evaluations/compare/?a={first.uuid}&b={second.uuid}",
        "version": f"/models/versions/{ModelVersion.objects.get().uuid}/",
    }
    if kind.has_labels:
        pages["threshold"] = f"/evaluations/{first.uuid}/threshold/?goal=cost&false=4&missed=4&person=0.1"
    if kind.prelabels:
        pages["prelabel"] = f"/evaluations/pre-label/{first.snapshot.dataset.uuid}/"

    for name, page in loaded_on_a_phone(opened, pages, mia):
        for fold in page.locator("details:has(p.written) summary").all()[:3]:
            fold.click()
        is_accessible(
            page, f"{task}-{name}", both_schemes=name in ("report", "rows", "compare", "words", "robustness")
        )
    page = opened(pages["groups"], mia)
    page.emulate_media(media="print")
    page.set_viewport_size({"width": PAPER[0], "height": PAPER[1]})
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.locator(".paper")).to_contain_text(first.report_digest)
    assert page.evaluate(CUT) == []
