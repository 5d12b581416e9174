"""The warm engine: imports once, then forks a child a request. No tensor is touched before a fork: a thread
pool dies in it.

A child exits when its answer is sent or its caller disconnects. The engine exits after IDLE_SECONDS without a
request.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lifecycle.runtime.engine import probe, warm_client
from lifecycle.runtime.engine.base import open_base
from lifecycle.runtime.engine.embedding import Embedder
from lifecycle.runtime.engine.faults import EngineFault, describe
from lifecycle.runtime.engine.plain import write_plain
from lifecycle.runtime.engine.predictor import open_predictor
from lifecycle.runtime.engine.task_types.by_key.answerers import answerer_of
from lifecycle.runtime.engine.task_types.by_key.learners import learner_of
from lifecycle.runtime.task_types.by_key.decoding import decoding_of

IDLE_SECONDS = 900.0
TICK_SECONDS = 1.0
MAX_CHILDREN = 4
DIGITS = 5  # of the numbers of a vector that was scaled to length 1


def serve(path: Path, idle_seconds: float = IDLE_SECONDS) -> None:
    """Answer requests on the socket until idle or SIGTERM. Returns at once where another engine serves this
    path.
    """
    with path.with_name(f"{path.name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        stopped = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stopped.set())
        listener = _listen(path)
        try:
            _accept(listener, idle_seconds, stopped)
        finally:
            path.unlink(missing_ok=True)
            listener.close()


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(old)
    listener.listen(64)
    return listener


def _accept(listener: socket.socket, idle_seconds: float, stopped: threading.Event) -> None:
    children: set[int] = set()
    last = time.monotonic()
    while not stopped.is_set():
        children -= {child for child in children if os.waitpid(child, os.WNOHANG)[0]}
        if children:
            last = time.monotonic()
        elif time.monotonic() - last > idle_seconds:
            return
        wait = [] if len(children) >= MAX_CHILDREN else [listener]
        if not select.select(wait, [], [], TICK_SECONDS if wait else 0.02)[0]:
            continue
        connection, _ = listener.accept()
        child = os.fork()
        if child == 0:
            listener.close()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            _answer(connection)
        children.add(child)
        connection.close()


def _answer(connection: socket.socket) -> None:
    """The child's whole life: read, work, reply, and exit without touching what it shares with the parent."""
    try:
        request = warm_client.receive(connection)
        threading.Thread(target=_exit_with_caller, args=(connection,), daemon=True).start()
        warm_client.send(connection, reply(request))
    except (OSError, ValueError):
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _exit_with_caller(connection: socket.socket) -> None:
    """End this child as soon as its caller closes the connection."""
    try:
        disconnected = connection.recv(1) == b""
    except OSError:
        disconnected = True
    if disconnected:
        os._exit(1)


def reply(request: dict[str, Any]) -> dict[str, Any]:
    """The answer to one request; any error becomes a fault with a sentence."""
    try:
        verb, payload = request.get("verb"), request.get("payload")
        if verb not in VERBS or not isinstance(payload, dict):
            message = f"Unknown engine command {verb!r}; choose from {', '.join(VERBS)}."
            raise EngineFault("bad_spec", message, "Send a known command with an object as payload.")
        return {"ok": True, "result": VERBS[verb](payload)}
    except Exception as error:
        traceback.print_exc()
        return {"ok": False, "error": describe(error).to_json()}


def _texts(payload: dict[str, Any]) -> list[str]:
    texts = payload.get("texts")
    if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
        raise EngineFault("bad_data", "texts must be a list of strings.", "Send the texts as strings.")
    return texts


def _opened(payload: dict[str, Any]) -> tuple[Any, list[str]]:
    texts = _texts(payload)
    base = Path(payload["base"]) if payload.get("base") else None
    return open_predictor(Path(str(payload.get("artifact"))), base, int(payload.get("threads", 0))), texts


def _predict(payload: dict[str, Any]) -> dict[str, Any]:
    predictor, texts = _opened(payload)
    info, decoding = predictor.info, decoding_of(predictor.info.task)
    known: dict[str, Any] = {
        "task": info.task,
        "labels": list(info.labels),
        "thresholds": list(info.thresholds) if info.thresholds else None,
    }
    if info.cut:
        known["deciding"] = {"label": info.labels[info.cut.index], "threshold": info.cut.threshold}
    if not texts:
        return known | {"answers": []}
    found = predictor.answer(texts)
    probabilities = decoding.decode(found.logits, info.temperature)
    answers = [
        each | {"tokens": count}
        for each, count in zip(decoding.predictions(probabilities, info), found.tokens, strict=True)
    ]
    if not learner_of(info.task).network.is_ragged:
        answers = [
            each | {"probabilities": row.tolist()} for each, row in zip(answers, probabilities, strict=True)
        ]
    return known | {"answers": answers}


def _embed(payload: dict[str, Any]) -> dict[str, Any]:
    if payload.get("artifact") is None:
        base, texts = (
            open_base(Path(str(payload.get("base"))), expected_digest=str(payload.get("digest") or "")),
            _texts(payload),
        )
        embedder = Embedder(base.path, "mean", int(payload.get("max_tokens", 128)))
        return {"embeddings": embedder.embed(texts).round(DIGITS).tolist() if texts else []}
    predictor, texts = _opened(payload)
    return {"embeddings": predictor.answer(texts).embeddings.tolist() if texts else []}


def _explain(payload: dict[str, Any]) -> dict[str, Any]:
    predictor, (text,) = _opened(payload)
    answerer: Any = answerer_of(predictor.info.task)
    found: dict[str, Any] = answerer.explain(predictor, text, payload)
    return found


def _plain(payload: dict[str, Any]) -> dict[str, Any]:
    base = Path(payload["base"]) if payload.get("base") else None
    return write_plain(
        Path(str(payload.get("artifact"))),
        base,
        Path(str(payload.get("target"))),
        str(payload.get("base_name") or ""),
    )


def _probe(payload: dict[str, Any]) -> dict[str, Any]:
    return probe.probe()


VERBS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "predict": _predict,
    "embed": _embed,
    "explain": _explain,
    "plain": _plain,
    "probe": _probe,
}
