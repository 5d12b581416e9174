"""A run as a Kubernetes Job, printed for kubectl."""

from __future__ import annotations

import pytest
import yaml

from tests.support import training


@pytest.fixture
def run(project, mia):
    return training.make_run(training.make_snapshot(project, mia), mia, succeeded=False)


def test_the_manifest_is_printed_and_nothing_else(as_person, mia, run, settings):
    settings.TRAINING_IMAGE = "registry.example.org/lifecycle:1.4"

    result = as_person(mia)("runs", "manifest", "1")

    assert (result.code, result.err) == (0, "")
    made = yaml.safe_load(result.out)
    assert (made["kind"], made["metadata"]["name"]) == ("Job", f"lifecycle-run-{run.uuid}")


def test_without_an_image_it_is_refused_with_the_setting(as_person, mia, run, settings):
    settings.TRAINING_IMAGE = ""

    result = as_person(mia)("runs", "manifest", "1")

    assert (result.code, result.out) == (1, "")
    assert "Training on a cluster isn't configured. Set TRAINING_IMAGE to a container image." in result.err
