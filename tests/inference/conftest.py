"""An installation with one endpoint, and a server on it inside the test's own process."""

import pytest
import tritonclient.http as triton
from starlette.testclient import TestClient

from lifecycle.runtime.inference.app import Server
from lifecycle.runtime.inference.config import Config
from lifecycle.runtime.inference.protocol import HEADER_LENGTH
from tests.inference.connections import connect
from tests.inference.models import Installation, auth, endpoint


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


@pytest.fixture
def serve(installation, server):
    """serve(**card): the endpoint's version has this card from now on. Asked for before client: copies for a
    shadow wait until kept() runs them.
    """
    server.shadows.start = lambda: None

    def deploy(*, keep_text=False, shadow=None, **card):
        digest = installation.artifact(**card)
        copied = installation.artifact(**shadow) if shadow is not None else ""
        installation.publish(support=endpoint(digest, keep_text=keep_text, shadow=copied))
        follow(server)

    return deploy


@pytest.fixture
def infer(client):
    """infer(body) → the tensors by name, as numpy arrays; binary: with the binary tensor extension."""

    def ask_for(body, *, binary=False):
        sent = body | ({"parameters": {"binary_data_output": True}} if binary else {})
        response = client.post("/v2/models/support/infer", json=sent, headers=auth())
        assert response.status_code == 200, response.text
        length = response.headers.get(HEADER_LENGTH)
        assert (length is not None) is binary
        found = triton.InferResult.from_response_body(response.content, header_length=length and int(length))
        return {each["name"]: found.as_numpy(each["name"]) for each in found.get_response()["outputs"]}

    return ask_for


@pytest.fixture
def kept(server, installation):
    """The lines of the spool so far, those of shadows too. Once in a test."""

    def read():
        while server.shadows.run_next():
            pass
        server.spool.stop()
        return installation.spooled()

    return read


def follow(server):
    """Apply the document and load all its versions."""
    server.router.poll()
    while server.router.load_next():
        pass
