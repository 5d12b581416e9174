"""A database that was restored without its files gets them back, and the servers look again."""

import shutil

import pytest

from registry.endpoints import actions, tasks
from tests.support import endpoints

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def test_after_a_restore_the_files_come_back_and_the_servers_look_again(project, settings):
    live_endpoint = endpoints.deployed_endpoint(project, versions=2)
    folder = settings.DATA_DIR / "serving" / "artifacts" / live_endpoint.alias.version.root_digest
    standby = live_endpoint.deployments.order_by("id").first().version
    shutil.rmtree(folder.parent)
    before = actions.publish()

    tasks.tend()

    assert (folder / "model.sig").is_file()
    assert (folder.parent / standby.root_digest / "model.sig").is_file()
    assert endpoints.routes()["epoch"] == before + 1
    assert actions.lay_out_missing() is False
