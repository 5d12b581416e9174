"""A signing key that has signed is never silently replaced."""

import re

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from lifecycle.runtime.refusals import Refused
from registry.ground.ledger import checkpoints, keys
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb


def test_the_first_use_makes_the_key(project, settings):
    assert keys.private_key_path().exists()
    assert keys.private_key_path().stat().st_mode & 0o777 == 0o600


@pytest.fixture
def lost(project, settings):
    with transaction.atomic():
        record(None, Verb.DATASET_CREATED, project, project=project.uuid)
    checkpoints.sign_checkpoints()
    path = keys.private_key_path()
    path.unlink()
    return path


def test_a_lost_key_is_asked_for_and_not_made_anew(lost):
    with pytest.raises(Refused, match=re.escape(str(lost))):
        keys.private_key_path()

    assert not lost.exists()


def test_verification_reports_that_the_key_is_missing(lost):
    with pytest.raises(CommandError, match=re.escape(str(lost))):
        call_command("verify_audit")
