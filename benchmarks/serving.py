"""One fine-tuned MiniLM behind five servers: CPU time a request and memory, ours with tokens, routing,
telemetry and metrics on.

`python -m benchmarks.serving`. The peers are installed by pip into environments of their own under var/bench
(several GB, minutes, once); the model is fine-tuned once, too (var/bench/model). Every engine runs one thread
a request, every server has one process that answers, and rounds are interleaved, so that whatever else runs
on this machine falls upon all alike. CPU time is user and system time of the server's whole process tree by
the requests that it answered; it is the figure that a busy machine disturbs least.

The data (banking77) is in $SHARED_DATA/banking77 or in ../shared/data/banking77.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks import serving_model
from lifecycle.runtime import bundle
from lifecycle.runtime.inference.names import FORMAT
from registry.endpoints.rules import Route, ServedVersion, Token, endpoints_document

ROOT = Path(__file__).parents[1]
BENCH = ROOT / "var" / "bench"
PEERS = Path(__file__).parent / "serving_peers"
TORCH = ("torch>=2.6", "transformers>=5.0")
PACKAGES = {
    "mlflow": ("mlflow", *TORCH),
    "bentoml": ("bentoml", *TORCH),
    "fastapi_pipeline": ("fastapi", "uvicorn", "httptools", "uvloop", *TORCH),
    "fastapi_int8": ("fastapi", "uvicorn", "httptools", "uvloop", "onnxruntime", "tokenizers"),
}
STOCK = ("mlflow", "bentoml", "fastapi_pipeline")
OURS, STRONG = "ours", "fastapi_int8"
TOKEN, NAME = "token-of-the-benchmark", "benchmark/banking77"  # good for this run's own server only
CLIENTS, ROUNDS, REQUESTS, WARM_UP = 4, 5, 200, 60
START_SECONDS = 600
BARS = {"cpu_vs_stock": 3.0, "cpu_vs_int8": 0.9, "memory_vs_mlflow": 2.0}
SAME_LABELS = 0.97  # of the texts, with the fp32 model: every server answers with the same model


@dataclass
class Peer:
    """One server, running. body: a request of one text; read: label from an answer; rounds: CPU ms, requests
    a second, p95 ms of each.
    """

    name: str
    process: subprocess.Popen[bytes]
    port: int
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    rounds: list[dict[str, float]] = field(default_factory=list)

    def body(self, text: str) -> bytes:
        """The request as this server wants it."""
        if self.name == OURS:
            outputs = [{"name": "LABEL"}, {"name": "CONFIDENCE"}]
            tensor = {"name": "TEXT", "datatype": "BYTES", "shape": [1], "data": [text]}
            return json.dumps({"inputs": [tensor], "outputs": outputs}).encode()
        return json.dumps({"inputs": [text]} if self.name == "mlflow" else {"texts": [text]}).encode()

    def label(self, answer: bytes) -> str:
        """What it answered."""
        found = json.loads(answer)
        if self.name == OURS:
            return str(found["outputs"][0]["data"][0])
        return str((found["predictions"] if self.name == "mlflow" else found)[0]["label"])

    def ask(self, connection: http.client.HTTPConnection, text: str) -> bytes:
        """One request. Raises RuntimeError for anything but 200."""
        connection.request(
            "POST", self.path, self.body(text), {"content-type": "application/json", **self.headers}
        )
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise RuntimeError(f"{self.name} answered {response.status}: {answer[:300]!r}")
        return answer

    def processes(self) -> list[psutil.Process]:
        """The server's process and all below it."""
        top = psutil.Process(self.process.pid)
        return [top, *top.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """User and system time of the tree so far, of children that ended too."""
        times = [each.cpu_times() for each in self.processes()]
        return sum(each.user + each.system + each.children_user + each.children_system for each in times)

    def memory_mb(self) -> dict[str, float]:
        """Resident memory of the process that answers (the largest), and the tree's with shared pages counted
        once (PSS).
        """
        found = [each.memory_full_info() for each in self.processes()]
        return {
            "rss": max(each.rss for each in found) / 1e6,
            "tree_pss": sum(each.pss for each in found) / 1e6,
        }


def main() -> int:
    """Run it; 0 when every bar is met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--requests", type=int, default=REQUESTS, help="of a round")
    parser.add_argument("--only", nargs="*", default=[], help="peers beside ours; all by default")
    options = parser.parse_args()
    data = Path(os.environ.get("SHARED_DATA") or ROOT.parent / "shared" / "data") / "banking77"
    if not (data / "test.csv").exists():
        print(f"There is no test.csv in {data}. Put banking77 there, or set SHARED_DATA.", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are ended on the way out
    names = options.only or list(PACKAGES)
    for name in names:
        install(name)
    model = serving_model.make(BENCH / "model", data)
    texts = [text for text, _ in serving_model.texts(data / "test.csv")]
    with (
        tempfile.TemporaryDirectory(prefix="lifecycle-serving-") as scratch,
        servers(names, model, Path(scratch)) as running,
    ):
        same = agreement(running, texts[:200])
        for number in range(options.rounds):
            for peer in running[number % len(running) :] + running[: number % len(running)]:
                peer.rounds.append(measure(peer, texts, options.requests, number))
        figures = {peer.name: of(peer) | {"same_labels": same[peer.name]} for peer in running}
    gate = json.loads((model / "artifact" / "lifecycle.json").read_text(encoding="utf-8"))["int8"]
    return report(figures, gate)


def install(name: str) -> None:
    """The peer's environment, made by pip once."""
    folder = BENCH / name
    if (folder / ".ready").exists():
        return
    print(f"Installing {name} into {folder} …", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    subprocess.run([str(folder / "bin" / "pip"), "install", "-q", *PACKAGES[name]], check=True)
    (folder / ".ready").touch()


@contextmanager
def servers(names: list[str], model: Path, scratch: Path) -> Iterator[list[Peer]]:
    """All servers, each answering; ended afterwards."""
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "BENTOML_DO_NOT_TRACK": "True",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
    running: list[Peer] = []
    try:
        running.append(start_ours(model / "artifact", scratch / "ours", environment))
        running += [start_peer(name, 8170 + at, model, scratch, environment) for at, name in enumerate(names)]
        for peer in running:
            wait_for(peer)
        yield running
    finally:
        for peer in running:
            os.killpg(peer.process.pid, signal.SIGTERM)
        for peer in running:
            try:
                peer.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(peer.process.pid, signal.SIGKILL)


def start_ours(artifact: Path, folder: Path, environment: dict[str, str]) -> Peer:
    """The product's server on a signed artifact, a canary with 5 % of the requests beside it, texts kept,
    metrics on.
    """
    key, serving = folder / "keys" / "signing.pem", folder / "serving"
    bundle.generate_key(key)
    draft = folder / "draft"
    shutil.copytree(artifact, draft)
    root = bundle.sign(draft, key)
    (serving / "artifacts").mkdir(parents=True)
    draft.rename(serving / "artifacts" / root)
    stable, canary = (
        ServedVersion("benchmark", "banking77 1.0.0", root, share, arm)
        for arm, share in (("stable", 9_500), ("canary", 500))
    )
    endpoint = Route(
        name=NAME,
        uuid="0e2d7a50-0000-4000-8000-000000000000",
        salt="s",
        task="single_label",
        stable=stable,
        canary=canary,
        shadow=None,
        standby=None,
        tokens=(Token(hashlib.sha256(TOKEN.encode()).hexdigest()),),
        keep_text=True,
    )
    document = {
        "format": FORMAT,
        "epoch": 1,
        "at": "2026-01-01T00:00:00Z",
        "endpoints": endpoints_document([endpoint]),
    }
    (serving / "routes.json").write_bytes(bundle.sign_document(document, key))
    settings = {
        "DATA_DIR": str(folder),
        "INFERENCE_PORT": "8169",
        "INFERENCE_SLOTS": "2",
        "METRICS_TOKEN": TOKEN,
    }
    process = spawn(
        [sys.executable, "-m", "lifecycle.runtime.inference"],
        folder,
        environment | settings | {"PYTHONPATH": str(ROOT)},
    )
    return Peer(OURS, process, 8169, f"/v2/models/{NAME}/infer", {"authorization": f"Bearer {TOKEN}"})


def start_peer(name: str, port: int, model: Path, scratch: Path, environment: dict[str, str]) -> Peer:
    """One of the others, as its documentation starts it."""
    bin_ = BENCH / name / "bin"
    settings = environment | {
        "MODEL": str(model / ("artifact" if name == STRONG else "hf")),
        "PATH": f"{bin_}:{environment['PATH']}",
    }
    settings.pop("PYTHONPATH", None)
    folder = scratch / name
    folder.mkdir()
    if name == "mlflow":
        subprocess.run(
            [bin_ / "python", PEERS / "mlflow_model.py", folder / "model"],
            env=settings,
            cwd=folder,
            check=True,
            stdout=sys.stderr,
        )
        command = [
            bin_ / "mlflow",
            "models",
            "serve",
            "-m",
            folder / "model",
            "-p",
            port,
            "--env-manager",
            "local",
            "--workers",
            1,
        ]
        return Peer(name, spawn(command, folder, settings), port, "/invocations")
    if name == "bentoml":
        command = [bin_ / "bentoml", "serve", "bento_service:Intents", "--port", port, "--working-dir", PEERS]
    else:
        command = [bin_ / "uvicorn", f"{name}:app", "--port", port, "--app-dir", PEERS, "--no-access-log"]
    return Peer(name, spawn(command, folder, settings | {"BENTOML_HOME": str(folder)}), port, "/predict")


def spawn(command: list[Any], folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """A process in a group of its own, with its output in a file."""
    with (folder / "server.log").open("wb") as log:
        return subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def wait_for(peer: Peer) -> None:
    """Wait until it responds, then warm it up. Raises RuntimeError with the end of its log when it doesn't
    start.
    """
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=30)
            for _ in range(WARM_UP):
                peer.ask(connection, "Where is my card?")
            return
        except (OSError, RuntimeError, http.client.HTTPException) as error:
            if time.monotonic() > until or peer.process.poll() is not None:
                raise RuntimeError(f"{peer.name} does not answer: {error}") from error
            time.sleep(0.5)


def agreement(running: list[Peer], texts: list[str]) -> dict[str, float]:
    """Share of texts that each server gives the label that the first pipeline (fp32) gives; of all servers
    where none runs one.
    """
    labels = {}
    for peer in running:
        connection = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=60)
        labels[peer.name] = [peer.label(peer.ask(connection, text)) for text in texts]
    reference = next((labels[name] for name in STOCK if name in labels), labels[OURS])
    same = {
        name: sum(a == b for a, b in zip(found, reference, strict=True)) / len(texts)
        for name, found in labels.items()
    }
    if wrong := [name for name, share in same.items() if share < SAME_LABELS]:
        raise RuntimeError(f"{', '.join(wrong)} answers with another model: {same}")
    return same


def measure(peer: Peer, texts: list[str], count: int, number: int) -> dict[str, float]:
    """One round: `count` requests of one text from a few clients that each wait for their answer."""
    mine = [texts[(number * count + at) % len(texts)] for at in range(count)]

    def client(share: list[str]) -> list[float]:
        connection = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=60)
        taken = []
        for text in share:
            began = time.perf_counter()
            peer.ask(connection, text)
            taken.append(time.perf_counter() - began)
        return taken

    cpu, began = peer.cpu_seconds(), time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        times = sorted(
            seconds
            for taken in pool.map(client, [mine[at::CLIENTS] for at in range(CLIENTS)])
            for seconds in taken
        )
    seconds = time.perf_counter() - began
    return {
        "cpu_ms": (peer.cpu_seconds() - cpu) * 1000 / count,
        "rps": count / seconds,
        "p50_ms": times[len(times) // 2] * 1000,
        "p95_ms": times[int(len(times) * 0.95)] * 1000,
    }


def of(peer: Peer) -> dict[str, Any]:
    """Medians of the rounds, and memory after them."""
    found = {name: round(statistics.median(each[name] for each in peer.rounds), 2) for name in peer.rounds[0]}
    return (
        found
        | {"cpu_ms_rounds": [round(each["cpu_ms"], 2) for each in peer.rounds]}
        | {f"{name}_mb": round(value, 1) for name, value in peer.memory_mb().items()}
    )


def report(figures: dict[str, Any], gate: dict[str, Any] | None) -> int:
    """The table, and the line for machines."""
    columns = ("cpu_ms", "rps", "p50_ms", "p95_ms", "rss_mb", "tree_pss_mb")
    print(f"{'server':<18}" + "".join(f"{name:>13}" for name in columns))
    for name, row in figures.items():
        print(f"{name:<18}" + "".join(f"{row[column]:>13.2f}" for column in columns))
    ours, stock = figures[OURS], [figures[name]["cpu_ms"] for name in STOCK if name in figures]
    ratio = {
        "cpu_vs_stock": round(min(stock) / ours["cpu_ms"], 3) if stock else None,
        "cpu_vs_int8": round(figures[STRONG]["cpu_ms"] / ours["cpu_ms"], 3) if STRONG in figures else None,
        "memory_vs_mlflow": (
            round(figures["mlflow"]["rss_mb"] / ours["rss_mb"], 3) if "mlflow" in figures else None
        ),
    }
    met = {name: value is not None and value >= BARS[name] for name, value in ratio.items()}
    figures |= {"int8_gate": gate}
    print(
        json.dumps(
            {
                "benchmark": "serving",
                "figures": figures,
                "ratio": ratio,
                "bar": BARS,
                "met": all(met.values()),
            }
        )
    )
    return 0 if all(met.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
