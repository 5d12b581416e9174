"""Calls an inference server as a client would."""

from __future__ import annotations

import time

import httpx

from lifecycle.ground.jobs.context import JobContext

READY_SECONDS = 60


def infer(
    client: httpx.Client, url: str, name: str, text: str, *, request_id: str, key: str = ""
) -> httpx.Response:
    """One text to one endpoint, by its full name. key: the sticky key, empty for none."""
    body = {"inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [1], "data": [text]}]}
    headers = {"X-Request-Id": request_id} | ({"X-Route-Key": key} if key else {})
    return client.post(f"{url}/v2/models/{name}/infer", json=body, headers=headers)


def wait_until_ready(ctx: JobContext, client: httpx.Client, url: str, name: str) -> bool:
    """Whether the endpoint answers within a minute."""
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        ctx.raise_if_cancelled()
        try:
            if client.get(f"{url}/v2/models/{name}/ready", timeout=2).status_code == httpx.codes.OK:
                return True
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    return False
