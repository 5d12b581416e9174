"""An installation with one endpoint, and a server on it inside the test's own process."""

import pytest
from starlette.testclient import TestClient

from lifecycle.runtime.inference.app import Server
from lifecycle.runtime.inference.config import Config
from tests.inference.connections import connect
from tests.inference.models import Installation, endpoint


@pytest.fixture
def installation(tmp_path):
    return Installation(tmp_path)


@pytest.fixture
def root(installation):
    digest = installation.artifact()
    installation.publish(support=endpoint(digest))
    return digest


@pytest.fixture
def server(installation, root):
    """Follows the document only when a test calls router.poll() and load_next(): no thread, no waiting."""
    made = Server(Config(data_dir=installation.folder, metrics_token="metrics-token"))
    made.router.start = lambda: None
    follow(made)
    return made


@pytest.fixture
def connection():
    return connect()


@pytest.fixture
def client(server):
    with TestClient(server.application(), raise_server_exceptions=False) as made:
        yield made


def follow(server):
    """Apply the document and load all its versions."""
    server.router.poll()
    while server.router.load_next():
        pass
