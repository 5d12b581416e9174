"""The ASGI application: paths of the Open Inference Protocol v2, who may call them, start and end of the
server.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from prometheus_client import Metric
from starlette.applications import Starlette
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lifecycle.runtime.inference import metrics
from lifecycle.runtime.inference.answering import Answering, Exchange, nothing_answers, read_body
from lifecycle.runtime.inference.batching import Slots
from lifecycle.runtime.inference.config import Config
from lifecycle.runtime.inference.metrics import Metrics
from lifecycle.runtime.inference.names import IN_ADDRESS, WORDS, meant
from lifecycle.runtime.inference.openai import asking, forms
from lifecycle.runtime.inference.openai.answering import Chats
from lifecycle.runtime.inference.protocol import ProtocolError, model_config, model_metadata
from lifecycle.runtime.inference.reranking import Rerank
from lifecycle.runtime.inference.router import Router
from lifecycle.runtime.inference.routing import LiveArm, LiveEndpoint, knows
from lifecycle.runtime.inference.shadow import Shadows
from lifecycle.runtime.inference.siblings import Siblings
from lifecycle.runtime.inference.signs import BEAT_SECONDS
from lifecycle.runtime.inference.spool import Spool
from lifecycle.runtime.inference.wire import answer, failure
from lifecycle.runtime.inference.writers import Writer
from lifecycle.runtime.scraping import exposition, may_scrape

REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}\Z")
INFO = ("endpoint", "version", "arm", "root_digest", "precision")
LOOK_SECONDS = 0.05
OPENAI = ("/v1/models", "/v1/chat/completions", "/v1/completions")
EXTENSIONS = ["binary_tensor_data", "parameters", "statistics", "model_repository"]


class NameConvertor(StringConvertor):
    """The name of an endpoint in an address."""

    regex = IN_ADDRESS


register_url_convertor("endpoint", NameConvertor())


class Server:
    """The parts of one server process and the handlers over them. It listens once every version of its routes
    is loaded or refused, so that an accepted connection gets an answer; without routes, at once.

    group: shared with the other servers of its socket; see Siblings.
    """

    def __init__(
        self, config: Config, *, router: Router | None = None, slots: Slots | None = None, group: str = ""
    ) -> None:
        self.config = config
        self.draining = False
        self.router = router or Router(
            config.data_dir / "serving", config.public_key, name=config.name, drills=config.drills
        )
        self.spool = Spool(config.data_dir / "spool", max_bytes=config.spool_mb * 1_000_000)
        self.metrics = Metrics()
        self.siblings = Siblings(config.data_dir / "serving", config.name, group)
        self.slots = slots or Slots(config.slots, config.queue_texts)
        self.shadows = Shadows(lambda: self.slots.texts >= config.slots, self.spool.put)
        self.router.on_close = lambda closed: self.spool.put(closed.as_line())
        self._answering = Answering(
            self.slots, self.spool, self.metrics, self.router.guard, self.shadows, self.router.faults
        )
        self._chats = Chats(self._answering)

    def application(self) -> Starlette:
        """The ASGI application over this server."""
        model = "/v2/models/{name:endpoint}"
        version = model + "/versions/{version}"
        paths = [
            Route("/v2/health/live", self.live),
            Route("/v2/health/ready", self.ready),
            Route("/v2", self.about),
            Route("/v2/models/stats", self.all_stats),
            Route("/v2/repository/index", self.index, methods=["POST"]),
            Route("/v1/rerank", self.rerank, methods=["POST"]),
            Route("/v1/models", self.models),
            Route("/v1/chat/completions", self.chat, methods=["POST"]),
            Route("/v1/completions", self.complete, methods=["POST"]),
            Route("/metrics", self.prometheus),
        ]
        for base in (model, version):
            paths += [
                Route(base, self.model),
                Route(base + "/ready", self.model_ready),
                Route(base + "/stats", self.stats),
                Route(base + "/config", self.model_config),
                Route(base + "/infer", self.infer, methods=["POST"]),
            ]
        app = Starlette(
            routes=paths,
            lifespan=self._lifespan,
            exception_handlers={ProtocolError: _refuse, HTTPException: _no_such_path, Exception: _refuse},
        )
        app.router.redirect_slashes = False
        return app

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        (self.config.data_dir / "serving").mkdir(parents=True, exist_ok=True)
        self.spool.start()
        self.router.start()
        self.shadows.start()
        beating = asyncio.create_task(self._share_counts())
        try:
            while self.router.begins and not self.draining:
                await asyncio.sleep(LOOK_SECONDS)
            yield
        finally:
            beating.cancel()
            self.router.stop()
            self.slots.close()
            self.shadows.stop()
            self.spool.stop()

    async def _share_counts(self) -> None:
        while self.siblings.shares:
            # counted here: only this thread writes the counts
            await asyncio.to_thread(self.siblings.write, self._counted())
            await asyncio.sleep(BEAT_SECONDS)

    async def live(self, _request: Request) -> Response:
        """Liveness: the process responds."""
        return answer({"live": True})

    async def ready(self, _request: Request) -> Response:
        """Readiness: routes are read, each endpoint answers (or its version was refused), and the server
        isn't shutting down.
        """
        ready = self.router.answers and not self.draining
        return answer({"live": True, "ready": ready}, status=200 if ready else 503)

    async def about(self, _request: Request) -> Response:
        """Server metadata."""
        return answer({"name": "lifecycle-inference", "version": "2", "extensions": EXTENSIONS})

    async def infer(self, request: Request) -> Response:
        """Predictions for the texts of the request."""
        live, token = self._authorise(request)
        exchange = Exchange(live, token, request_id(request))
        return await self._answering(request, exchange, request.path_params.get("version"))

    async def rerank(self, request: Request) -> Response:
        """The documents of the request, best first."""
        digest = token_digest(request)
        mine = self._endpoints_of(digest)
        asked = Rerank.parse(await read_body(request))
        if not asked.model and len(mine) > 1:
            raise ProtocolError(400, "This token can use several models: name one in model.")
        live = _named(asked.model or mine[0].endpoint.name, mine)
        return await self._answering(request, Exchange(live, digest, request_id(request)), None, asked)

    async def models(self, request: Request) -> Response:
        """The models that the token may use and that generate text, in OpenAI's form."""
        mine = self._endpoints_of(token_digest(request))
        return answer(forms.models(live.endpoint.name for live in mine if any(map(writes, live.arms))))

    async def chat(self, request: Request) -> Response:
        """The next turn of a chat."""
        return await self._write(request, asking.read_chat)

    async def complete(self, request: Request) -> Response:
        """How a text goes on."""
        return await self._write(request, asking.read_completion)

    async def _write(self, request: Request, read: Callable[[bytes], asking.Wanted]) -> Response:
        digest = token_digest(request)
        mine = self._endpoints_of(digest)
        wanted = read(await read_body(request))
        exchange = Exchange(_named(wanted.model, mine), digest, request_id(request))
        return await self._chats(request, exchange, wanted)

    async def model(self, request: Request) -> Response:
        """Metadata of an endpoint, or of one of its versions that gets traffic."""
        live, _token = self._authorise(request)
        arms = _arms(live, request)
        if not arms:
            raise nothing_answers(live)
        engine, versions = arms[0].engine, [arm.arm.version for arm in arms]
        about: dict[str, Any] = {
            "labels": list(engine.card.labels),
            "precision": engine.precision,
            "reason": engine.reason,
        }
        if cut := engine.card.cut:
            about["deciding"] = {"label": engine.card.labels[cut.index], "threshold": cut.threshold}
        return answer(
            model_metadata(
                live.endpoint.name, versions, engine.served.inputs, engine.outputs, engine.platform, about
            )
        )

    async def model_ready(self, request: Request) -> Response:
        """Whether the endpoint answers now."""
        live, _token = self._authorise(request)
        ready = bool(_arms(live, request)) and not self.draining
        return answer({"name": live.endpoint.name, "ready": ready}, status=200 if ready else 503)

    async def model_config(self, request: Request) -> Response:
        """The part of Triton's model configuration that clients read."""
        live, _token = self._authorise(request)
        arms = _arms(live, request)
        if not arms:
            raise nothing_answers(live)
        engine = arms[0].engine
        return answer(model_config(live.endpoint.name, engine.served.inputs, engine.outputs, engine.platform))

    async def stats(self, request: Request) -> Response:
        """Counts and durations since the start of the process."""
        live, _token = self._authorise(request)
        return answer(
            {
                "model_stats": [
                    self.metrics.statistics(live.endpoint.name, arm.arm.version)
                    for arm in _arms(live, request)
                ]
            }
        )

    async def all_stats(self, request: Request) -> Response:
        """Statistics of every endpoint that the token may use."""
        mine = self._endpoints_of(token_digest(request))
        return answer(
            {
                "model_stats": [
                    self.metrics.statistics(live.endpoint.name, arm.arm.version)
                    for live in mine
                    for arm in live.arms
                ]
            }
        )

    async def index(self, request: Request) -> Response:
        """The endpoints that the token may use."""
        return answer(
            [
                {"name": live.endpoint.name, "version": arm.arm.version, "state": "READY", "reason": ""}
                for live in self._endpoints_of(token_digest(request))
                for arm in live.arms
            ]
        )

    async def prometheus(self, request: Request) -> Response:
        """Metrics, for anyone who sends METRICS_TOKEN; without that setting, for this machine only."""
        token, peer = self.config.metrics_token, request.client.host if request.client else ""
        if not may_scrape(token=token, peer=peer, headers=request.headers):
            raise unauthorised() if token else HTTPException(404)
        families = await asyncio.to_thread(self.siblings.collect, self._counted())
        content, kind = exposition(families, request.headers.get("accept", ""))
        return Response(content, headers={"content-type": kind})

    def _counted(self) -> list[Metric]:
        return [*self.metrics.families(), *self.families(), *metrics.process()]

    def families(self) -> list[Metric]:
        """Metrics of the parts of this server, as Prometheus' families."""
        live = self.router.table.endpoints.values()
        arms = [(each.endpoint.name, arm) for each in live for arm in each.arms]
        about = [
            ((name, arm.arm.version, arm.arm.name, arm.arm.root_digest, arm.engine.precision), 1.0)
            for name, arm in arms
        ]
        closed = [((each.endpoint, each.deployment), 1.0) for each in self.router.guard.closed.values()]
        return [
            metrics.gauge(
                "ready", "1 if the server is ready for traffic.", self.router.answers and not self.draining
            ),
            metrics.gauge(
                "routing_epoch", "Config version being served.", max((each.epoch for each in live), default=0)
            ),
            metrics.gauge("slots", "Concurrent model runs.", self.config.slots),
            metrics.gauge("queue_texts", "Texts running or waiting.", self.slots.texts),
            metrics.gauge(
                "queue_texts_limit", "Maximum texts running or waiting before 429.", self.config.queue_texts
            ),
            metrics.total("spool_written", "Lines written to the spool.", self.spool.written),
            metrics.total(
                "spool_dropped", "Lines dropped because the disk or spool queue was full.", self.spool.dropped
            ),
            metrics.total("shadow_compared", "Shadow requests completed.", self.shadows.compared),
            metrics.total("shadow_dropped", "Shadow requests dropped.", self.shadows.dropped),
            metrics.marks("model_info", "Versions being served and their graph.", INFO, about),
            metrics.marks(
                "guard_closed", "1 for each canary closed by the guard.", ("endpoint", "deployment"), closed
            ),
        ]

    def _authorise(self, request: Request) -> tuple[LiveEndpoint, str]:
        """The endpoint of the path and the token's digest.

        A missing or invalid token gets 401 for any path; a valid token gets the same 404 for an endpoint that
        doesn't exist and for one that it may not use. A slug alone is looked up among those that the token
        may use.
        """
        digest = token_digest(request)
        return _named(request.path_params["name"], self._endpoints_of(digest)), digest

    def _endpoints_of(self, digest: str) -> list[LiveEndpoint]:
        now = time.time()
        mine = [
            live for live in self.router.table.endpoints.values() if knows(live.endpoint.tokens, digest, now)
        ]
        if not mine:
            raise unauthorised()
        return mine


def _named(wanted: str, mine: Sequence[LiveEndpoint]) -> LiveEndpoint:
    """The endpoint of those that the token may use. Raises ProtocolError."""
    by_name = {live.endpoint.name: live for live in mine}
    found = meant(wanted, by_name)
    if not found:
        raise ProtocolError(404, "Model not found, or not allowed for this token.")
    if len(found) > 1:
        way = "a token of one endpoint" if wanted in WORDS else f"one of {', '.join(found)}"
        raise ProtocolError(409, f"This token can use {len(found)} models named {wanted}. Use {way}.")
    return by_name[found[0]]


def writes(live: LiveArm) -> bool:
    """Whether the arm's version generates text."""
    return isinstance(live.engine, Writer)


def unauthorised() -> ProtocolError:
    """The refusal of an unknown caller."""
    return ProtocolError(401, 'A valid token is required: send "Authorization: Bearer TOKEN".')


def token_digest(request: Request) -> str:
    """The sha256 (hex) of the bearer token. Raises ProtocolError (401) without one."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    if kind.lower() != "bearer" or not token or len(token) > 500:
        raise unauthorised()
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def request_id(request: Request) -> str:
    """The caller's X-Request-Id if it is safe to log, else a new one."""
    given = request.headers.get("x-request-id", "")
    return given if REQUEST_ID.match(given) else uuid.uuid4().hex


def _arms(live: LiveEndpoint, request: Request) -> list[LiveArm]:
    version = request.path_params.get("version")
    if version is None:
        return list(live.arms)
    arms = [arm for arm in live.arms if version in (arm.arm.version, arm.arm.root_digest)]
    if not arms:
        raise ProtocolError(404, "This version isn't served for this model.")
    return arms


async def _refuse(request: Request, error: Exception) -> Response:
    refused = error if isinstance(error, ProtocolError) else ProtocolError(500, "The server failed.")
    return (forms.failure if request.url.path in OPENAI else failure)(refused)


async def _no_such_path(_request: Request, error: Exception) -> Response:
    code = error.status_code if isinstance(error, HTTPException) else 500
    sentence = (
        "Method not allowed for this path."
        if code == 405
        else "Path not found. Protocol paths start with /v2."
    )
    return failure(ProtocolError(code, sentence))
