"""Ask the warm engine. Nothing heavy is imported: the models are in another process, which is started where
no one listens.

Wire: a Unix stream socket (mode 0600), one request a connection. Each message is 4 bytes of length,
big-endian, then UTF-8 JSON. Request {"verb": "predict"|"embed"|"explain"|"probe", "payload": {...}}; reply
{"ok": true, "result": {...}} or {"ok": false, "error": {code, message, next_step}}. Closing the connection
ends the work. Payload of predict, embed and, with one text, explain: {"artifact": folder, "texts": [...],
"threads": n}; of embed also {"base": folder, "digest": of its files, "max_tokens": n, "texts": [...]}:
vectors of an untuned base, of length 1.
"""

from __future__ import annotations

import fcntl
import json
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lifecycle.runtime.engine.faults import EngineFault

MAX_BYTES = 256 * 2**20
MAX_PATH = 100
START_SECONDS = 60.0
VERBS = ("predict", "embed", "explain", "probe")


def call(
    path: Path,
    verb: str,
    payload: dict[str, Any],
    timeout_seconds: float = 120.0,
    *,
    environment: dict[str, str] | None = None,
) -> dict[str, Any]:
    """The verb's result. Starts the engine at this socket path if no one listens. Raises EngineFault: the
    verb's own, or `crashed`.

    environment: of the engine if it has to be started; the caller's own by default.
    """
    with _connected(path, environment) as connection:
        connection.settimeout(timeout_seconds)
        try:
            send(connection, {"verb": verb, "payload": payload})
            reply = receive(connection)
        except (OSError, ValueError) as error:
            raise _silent(
                f"The engine didn't respond within {timeout_seconds:g} seconds or exited"
                f" ({type(error).__name__})."
            ) from error
    if not reply["ok"]:
        raise EngineFault(reply["error"]["code"], reply["error"]["message"], reply["error"]["next_step"])
    result: dict[str, Any] = reply["result"]
    return result


def predict(path: Path, artifact: Path, texts: list[str], timeout_seconds: float = 120.0) -> dict[str, Any]:
    """{"labels": [...], "answers": [{"label", "confidence", "probabilities", "tokens"}]} of an artifact for
    some texts.
    """
    return call(path, "predict", {"artifact": str(artifact), "texts": texts}, timeout_seconds)


def embed(path: Path, artifact: Path, texts: list[str], timeout_seconds: float = 120.0) -> list[list[float]]:
    """The artifact's pooled vector of each text."""
    vectors: list[list[float]] = call(
        path, "embed", {"artifact": str(artifact), "texts": texts}, timeout_seconds
    )["embeddings"]
    return vectors


def probe(path: Path, timeout_seconds: float = 120.0) -> dict[str, Any]:
    """The machine's capabilities: environment, bf16, base models."""
    return call(path, "probe", {}, timeout_seconds)


def _silent(message: str) -> EngineFault:
    return EngineFault(
        "crashed", message, "Try again. If it fails again, check the engine's log next to its socket."
    )


def _connected(path: Path, environment: dict[str, str] | None) -> socket.socket:
    if len(str(path)) > MAX_PATH:
        raise _silent(f"The socket path is longer than {MAX_PATH} characters: {path}.")
    connection = _try(path)
    if connection is not None:
        return connection
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.starting").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _try(path) or _start(path, environment)


def _try(path: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    return connection


def _start(path: Path, environment: dict[str, str] | None) -> socket.socket:
    with path.with_name(f"{path.name}.log").open("ab") as log:
        command = [sys.executable, "-m", "lifecycle.runtime.engine", "warm", str(path)]
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=environment
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        connection = _try(path)
        if connection is not None:
            return connection
        time.sleep(0.05)
    raise _silent(f"The engine didn't start. See its log {path.name}.log.")


def send(connection: socket.socket, document: dict[str, Any]) -> None:
    """Write one message."""
    data = json.dumps(document, ensure_ascii=False).encode()
    connection.sendall(struct.pack(">I", len(data)) + data)


def receive(connection: socket.socket) -> dict[str, Any]:
    """Read one message. Raises ValueError when the peer disconnected or the message is too long or no JSON
    object.
    """
    (length,) = struct.unpack(">I", _exactly(connection, 4))
    if length > MAX_BYTES:
        raise ValueError(f"A message of {length} bytes is longer than {MAX_BYTES}.")
    document = json.loads(_exactly(connection, length))
    if not isinstance(document, dict):
        raise ValueError("A message must be a JSON object.")
    return document


def _exactly(connection: socket.socket, length: int) -> bytes:
    parts = []
    while length:
        part = connection.recv(min(length, 2**20))
        if not part:
            raise ValueError("The peer closed the connection.")
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
