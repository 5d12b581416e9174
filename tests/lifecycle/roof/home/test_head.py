"""HEAD, by which balancers and link checkers ask, is answered like GET without the body."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    "path",
    ["/", "/healthz", "/alerts/", "/alerts/silences/", "/alerts/channels/", "/datasets/", "/rollouts/"],
)
def test_head_is_answered_like_get_without_the_body(path, omar, client_for):
    client = client_for(omar)

    answer = client.head(path)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["Content-Type"] == client.get(path)["Content-Type"]
