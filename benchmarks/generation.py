"""Chats with SmolLM2-135M and a LoRA adapter behind three servers, one at a time and eight at once: tokens a
CPU second, time to the first token, and when a client that leaves frees its place.

`python -m benchmarks.generation`. Ours serves the adapter beside its base model, with tokens, routing, and
telemetry on; the peers load the merged weights: FastAPI with `generate`, one answer at a time, as people
build it, and `transformers serve` with continuous batching. One thread each, likeliest tokens; rounds are
interleaved. Peers compute in fp32, as they do by default; ours in bf16, since the version passes its gate,
and in fp32 as well (`ours_fp32`), whose answers are compared with those of the peers. Peers are installed by
pip into var/bench, once. vLLM isn't measured: its CPU build needs 3 GB and an older torch.

CPU time is that of the server's whole process tree. Beside the server, the same answers are made by its
batcher without a server: the difference is what the front costs.
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
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import generation_model
from benchmarks.generation_model import PROMPTS
from benchmarks.serving import BENCH, ROOT, TOKEN, TORCH, Peer, spawn
from lifecycle.runtime import bundle
from lifecycle.runtime.inference.names import FORMAT
from registry.endpoints.rules import ALL, Route, ServedVersion, Token, endpoints_document

PEERS = Path(__file__).parent / "generation_peers"
ENVIRONMENT = "transformers_serve"
PACKAGES = (*TORCH, "transformers[serving]>=5.0", "fastapi", "uvicorn", "httptools", "uvloop")
OURS, OURS_FP32, ONE_BY_ONE, CONTINUOUS = "ours", "ours_fp32", "fastapi_generate", "transformers_serve"
NAME = "benchmark/chats"
ROUNDS, STREAMS, MAX_TOKENS = 3, 8, 64
START_SECONDS = 600
BARS = {"vs_fastapi": 4.0, "vs_transformers_serve": 1.3, "front_cpu": 1.03, "front_first_ms": 5.0}
SAME = 0.75  # of the answers: sums in another order turn a few


@dataclass
class Server(Peer):
    """A server that answers chats in OpenAI's form. model: its name there. figures: of each round, by the
    number of streams.
    """

    model: str = ""
    figures: dict[int, list[dict[str, float]]] = field(default_factory=dict)

    def request(self, prompt: str, max_tokens: int, *, stream: bool = False) -> http.client.HTTPResponse:
        """The response to a chat, whose body is to be read. Raises RuntimeError for anything but 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": max_tokens,
            "temperature": 0,
            "stream": stream,
        }
        connection.request(
            "POST", self.path, json.dumps(body), {"content-type": "application/json", **self.headers}
        )
        response = connection.getresponse()
        if response.status != 200:
            raise RuntimeError(f"{self.name} answered {response.status}: {response.read()[:300]!r}")
        return response

    def chat(self, prompt: str, max_tokens: int = MAX_TOKENS) -> tuple[str, int]:
        """The answer and its tokens."""
        found = json.loads(self.request(prompt, max_tokens).read())
        return found["choices"][0]["message"]["content"] or "", int(found["usage"]["completion_tokens"])

    def first_ms(self, prompt: str) -> float:
        """How long the first text takes, streamed."""
        began = time.perf_counter()
        response = self.request(prompt, 2, stream=True)
        while True:
            line = response.readline()
            if line.startswith(b"data: {"):
                choices = json.loads(line[6:])["choices"]
                if choices and choices[0]["delta"].get("content"):
                    break
            elif not line:
                raise RuntimeError(f"{self.name} answered without a text.")
        taken = (time.perf_counter() - began) * 1000
        response.read()
        return taken


class Direct:
    """The product's batcher in a process of its own, without a server."""

    def __init__(self, artifacts: Sequence[Path], bases: Path, environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "benchmarks.generation_product", *map(str, artifacts), str(bases)]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.peer = Peer("direct", self.process, 0, "")
        self.figures: dict[int, list[dict[str, float]]] = {}
        self.line()

    def line(self) -> bytes:
        """The next line that it writes. Raises RuntimeError where it ended."""
        found = self.process.stdout.readline()  # type: ignore[union-attr]
        if not found:
            raise RuntimeError("The batcher's process ended.")
        return found

    def answer(self, prompts: Sequence[str], max_tokens: int, versions: Sequence[int] = ()) -> dict[str, Any]:
        """Chats answered together, each by a version by its number."""
        chats = [
            {
                "messages": [{"role": "user", "content": each}],
                "max_tokens": max_tokens,
                "version": versions[at] if versions else 0,
            }
            for at, each in enumerate(prompts)
        ]
        self.process.stdin.write(json.dumps(chats).encode() + b"\n")  # type: ignore[union-attr]
        self.process.stdin.flush()  # type: ignore[union-attr]
        return dict(json.loads(self.line()))

    def measure(self, prompts: Sequence[str], versions: Sequence[int] = ()) -> dict[str, float]:
        """Tokens a CPU second of chats answered together."""
        cpu = self.peer.cpu_seconds()
        tokens = self.answer(prompts, MAX_TOKENS, versions)["tokens"]
        return {"tokens_per_cpu_second": tokens / (self.peer.cpu_seconds() - cpu)}


def main() -> int:
    """Run it; 0 when every bar is met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are ended on the way out
    install()
    with tempfile.TemporaryDirectory(prefix="lifecycle-generation-") as scratch:
        folder = Path(scratch)
        key, base = folder / "keys" / "signing.pem", generation_model.base(BENCH)
        bundle.generate_key(key)
        exact = generation_model.adapter(folder / "exact", base, seed=1)
        rounded = shutil.copytree(exact, folder / "rounded")
        generation_model.in_bf16(rounded, base)
        roots = [lay_out(folder, each, base, key) for each in (rounded, exact)]
        artifacts, bases = folder / "serving" / "artifacts", folder / "serving" / "bases"
        merged = generation_model.merged(folder / "merging", artifacts / roots[1], base)
        with running(folder, roots, key, merged) as (servers, environment):
            direct = Direct([artifacts / roots[0]], bases, environment)
            try:
                return report(*measured(servers, direct, options.rounds))
            finally:
                direct.process.kill()


def install() -> None:
    """The peers' environment, made by pip once."""
    folder = BENCH / ENVIRONMENT
    if (folder / ".ready").exists():
        return
    print(f"Installing {ENVIRONMENT} into {folder} …", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    subprocess.run([str(folder / "bin" / "pip"), "install", "-q", *PACKAGES], check=True)
    (folder / ".ready").touch()


def lay_out(folder: Path, draft: Path, base: Path, key: Path) -> str:
    """A signed version with its base where the server finds them. Returns its root digest."""
    digest = json.loads((draft / "lifecycle.json").read_text(encoding="utf-8"))["base"]["digest"]
    root = bundle.sign(draft, key)
    serving = folder / "serving"
    (serving / "artifacts").mkdir(parents=True, exist_ok=True)
    draft.rename(serving / "artifacts" / root)
    if not (serving / "bases" / digest).exists():
        shutil.copytree(base, serving / "bases" / digest)
    return root


@contextmanager
def running(
    folder: Path, roots: Sequence[str], key: Path, merged: Path
) -> Iterator[tuple[list[Server], dict[str, str]]]:
    """All servers, each answering, and their environment; ended afterwards. roots: of our versions, in bf16
    and in fp32.
    """
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "MODEL": str(merged),
    }
    servers: list[Server] = []
    try:
        for at, (name, root) in enumerate(zip((OURS, OURS_FP32), roots, strict=True)):
            servers.append(start_ours(name, folder, root, key, environment, 8180 + at))
        bin_ = BENCH / ENVIRONMENT / "bin"
        alone = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
        commands = {
            ONE_BY_ONE: [bin_ / "uvicorn", f"{ONE_BY_ONE}:app", "--app-dir", PEERS, "--no-access-log"],
            CONTINUOUS: [
                bin_ / "transformers",
                "serve",
                merged,
                "--continuous-batching",
                "--device",
                "cpu",
                "--dtype",
                "float32",
                "--cb-num-blocks",
                "512",
                "--cb-max-batch-tokens",
                "256",
                "--model-timeout",
                "-1",
            ],
        }
        for at, (name, command) in enumerate(commands.items()):
            (folder / name).mkdir()
            process = spawn([*command, "--port", str(8185 + at)], folder / name, alone)
            servers.append(Server(name, process, 8185 + at, "/v1/chat/completions", model=str(merged)))
        for server in servers:
            wait_for(server)
        yield servers, environment | {"PYTHONPATH": str(ROOT)}
    finally:
        for server in servers:
            os.killpg(server.process.pid, signal.SIGTERM)
        for server in servers:
            try:
                server.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(server.process.pid, signal.SIGKILL)


def start_ours(
    name: str, folder: Path, root: str, key: Path, environment: dict[str, str], port: int
) -> Server:
    """The product's server on a signed adapter, texts kept."""
    own = folder / name
    (own / "serving").mkdir(parents=True)
    for each in ("artifacts", "bases"):
        (own / "serving" / each).symlink_to(folder / "serving" / each)
    endpoint = Route(
        name=NAME,
        uuid="0e2d7a50-0000-4000-8000-000000000000",
        salt="s",
        task="generation",
        stable=ServedVersion("benchmark", "chats 1.0.0", root, ALL, "stable"),
        canary=None,
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
    (own / "serving" / "routes.json").write_bytes(bundle.sign_document(document, key))
    shutil.copytree(key.parent, own / key.parent.name)
    settings = {"DATA_DIR": str(own), "INFERENCE_PORT": str(port), "METRICS_TOKEN": TOKEN}
    command = [sys.executable, "-m", "lifecycle.runtime.inference"]
    process = spawn(command, own, environment | settings | {"PYTHONPATH": str(ROOT)})
    headers = {"authorization": f"Bearer {TOKEN}"}
    return Server(name, process, port, "/v1/chat/completions", headers, model=NAME)


def wait_for(server: Server) -> None:
    """Wait until it answers. Raises RuntimeError when it doesn't start."""
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            server.chat(PROMPTS[0], 4)
            return
        except (OSError, RuntimeError, KeyError, http.client.HTTPException) as error:
            if time.monotonic() > until or server.process.poll() is not None:
                raise RuntimeError(f"{server.name} does not answer: {error}") from error
            time.sleep(0.5)


def measured(
    servers: list[Server], direct: Direct, rounds: int
) -> tuple[dict[str, Any], dict[str, float], dict[str, float]]:
    """Figures by server, the front's cost, and the place of a client that left."""
    same = agreement(servers)
    for number in range(rounds):
        for server in servers[number % len(servers) :] + servers[: number % len(servers)]:
            for streams in (1, STREAMS):
                prompts = PROMPTS[:STREAMS] if streams > 1 else PROMPTS[number % STREAMS :][:1]
                server.figures.setdefault(streams, []).append(measure(server, prompts))
            if server.name == OURS:
                direct.figures.setdefault(STREAMS, []).append(direct.measure(PROMPTS[:STREAMS]))
    figures = {
        server.name: {
            "tokens_per_cpu_second": {
                str(streams): round(median(found, "tokens_per_cpu_second"), 2)
                for streams, found in server.figures.items()
            },
            "same_answers": same[server.name],
            **{f"{name}_mb": round(value, 1) for name, value in server.memory_mb().items()},
        }
        for server in servers
    }
    ours = servers[0]
    firsts = [(ours.first_ms(each), direct.answer([each], 2)["first_ms"]) for each in PROMPTS * 3]
    front = {
        "direct_tokens_per_cpu_second": round(median(direct.figures[STREAMS], "tokens_per_cpu_second"), 2),
        "first_ms": round(statistics.median(one for one, _ in firsts), 2),
        "direct_first_ms": round(statistics.median(two for _, two in firsts), 2),
        "first_ms_more": round(statistics.median(one - two for one, two in firsts), 2),
    }
    for server in servers:
        if server.name == CONTINUOUS:
            figures[server.name]["first_ms"] = round(
                statistics.median(server.first_ms(each) for each in PROMPTS), 2
            )
    return figures, front, left(ours)


def agreement(servers: list[Server]) -> dict[str, float]:
    """Share of the prompts that each answers as ours does in fp32. Raises RuntimeError where a peer answers
    with another model.
    """
    answers = {server.name: [server.chat(prompt, 16)[0] for prompt in PROMPTS] for server in servers}
    same = {
        name: statistics.fmean(one == two for one, two in zip(found, answers[OURS_FP32], strict=True))
        for name, found in answers.items()
    }
    if wrong := [name for name, share in same.items() if share < SAME and name != OURS]:
        raise RuntimeError(f"{', '.join(wrong)} answers with another model: {same}")
    return same


def measure(server: Server, prompts: Sequence[str]) -> dict[str, float]:
    """Tokens a CPU second of chats asked at once."""
    cpu, began = server.cpu_seconds(), time.perf_counter()
    with ThreadPoolExecutor(len(prompts)) as pool:
        tokens = sum(made for _, made in pool.map(server.chat, prompts))
    return {
        "tokens_per_cpu_second": tokens / (server.cpu_seconds() - cpu),
        "tokens_per_second": tokens / (time.perf_counter() - began),
    }


def median(rounds: Sequence[dict[str, float]], name: str) -> float:
    """Of a figure over the rounds."""
    return statistics.median(each[name] for each in rounds)


def left(server: Server) -> dict[str, float]:
    """Medians of five clients that leave after a few tokens: ms until the server counts the request as ended
    (499), and ms a token takes meanwhile, which is when the batcher looks.
    """
    freed, paces = [], []
    for _ in range(5):
        before = gone(server)
        response = server.request(PROMPTS[4], MAX_TOKENS, stream=True)
        seen: list[float] = []
        while len(seen) < 6:
            if response.readline().startswith(b"data: {"):
                seen.append(time.perf_counter())
        paces.append((seen[-1] - seen[1]) / (len(seen) - 2) * 1000)
        began = time.perf_counter()
        response.close()
        while gone(server) == before:
            time.sleep(0.001)
        freed.append((time.perf_counter() - began) * 1000)
    return {
        "freed_ms": round(statistics.median(freed), 2),
        "token_ms": round(statistics.median(paces), 2),
    }


def gone(server: Server) -> int:
    """Requests whose client left so far."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", "/metrics", headers=server.headers)
    lines = connection.getresponse().read().decode().splitlines()
    return sum(
        int(float(line.rsplit(" ", 1)[1]))
        for line in lines
        if line.startswith("lifecycle_inference_requests_total") and 'code="499"' in line
    )


def report(figures: dict[str, Any], front: dict[str, float], leaving: dict[str, float]) -> int:
    """The table, and the line for machines."""
    print(f"{'server':<20}{'1 stream':>12}{f'{STREAMS} streams':>12}  tokens a CPU second")
    for name, row in figures.items():
        one, many = row["tokens_per_cpu_second"].values()
        print(f"{name:<20}{one:>12.2f}{many:>12.2f}  {row['rss_mb']:.0f} MB")
    many = {name: row["tokens_per_cpu_second"][str(STREAMS)] for name, row in figures.items()}
    ratio = {
        "vs_fastapi": round(many[OURS] / many[ONE_BY_ONE], 3),
        "vs_transformers_serve": round(many[OURS] / many[CONTINUOUS], 3),
        "front_cpu": round(front["direct_tokens_per_cpu_second"] / many[OURS], 3),
        "front_first_ms": front["first_ms_more"],
    }
    met = all(
        value <= BARS[name] if name.startswith("front") else value >= BARS[name]
        for name, value in ratio.items()
    )
    print(
        json.dumps(
            {
                "benchmark": "generation",
                "figures": figures | {"front": front, "left": leaving},
                "ratio": ratio,
                "bar": BARS,
                "met": met,
            }
        )
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
