"""The base model of a version that writes text is laid out beside the version's files."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from lifecycle.modeling.training.models import BaseModel
from lifecycle.runtime.engine.base import folder_digest
from lifecycle.runtime.refusals import Refused
from registry.catalog import actions
from registry.catalog.models import ModelVersion
from tests.support import registry
from tests.support.generation import generation_snapshot, make_decoder, make_generation_run
from tests.support.jobs import run_ok


@pytest.fixture
def version(project, mia):
    run = make_generation_run(
        generation_snapshot(project, mia), mia, make_decoder(project, mia), splits=("test",)
    )
    actions.register(
        model=registry.make_model(project, mia), run=run, semver="1.0.0", actor=mia, stated=registry.STATED
    )
    run_ok("default")
    return ModelVersion.objects.get()


def bases():
    return Path(settings.DATA_DIR) / "serving" / "bases"


def test_it_is_laid_out_by_its_digest_and_again_where_it_was_damaged(version):
    digest = version.run.base.facts["engine_digest"]

    folder = actions.materialise(version)

    assert [each.name for each in bases().iterdir()] == [digest]
    assert folder_digest(bases() / digest) == digest
    assert folder.parents[1] == bases().parent
    config = bases() / digest / "config.json"
    config.chmod(0o600)
    config.write_text("{}")
    actions.materialise(version)
    assert folder_digest(bases() / digest) == digest


def test_a_base_that_is_gone_or_changed_is_refused(version):
    base = version.run.base
    BaseModel.objects.filter(pk=base.pk).update(facts=base.facts | {"engine_digest": "0" * 64})
    version = ModelVersion.objects.get()

    with pytest.raises(Refused):
        actions.materialise(version)

    assert list(bases().iterdir()) == []
    BaseModel.objects.filter(pk=base.pk).update(folder=None)
    with pytest.raises(Refused):
        actions.materialise(ModelVersion.objects.get())
    assert list(bases().iterdir()) == []


def test_a_classifier_has_none(project, mia, ravi):
    actions.materialise(registry.make_version(project, mia, ravi))

    assert not bases().exists()
