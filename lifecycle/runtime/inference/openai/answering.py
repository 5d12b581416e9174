"""One request for text, from its fields to its answer, whole or as events, and its line in the spool."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from lifecycle.runtime.generation.rules import Finish, Full, Prompt, Sampling, Token
from lifecycle.runtime.inference.answering import FAILED, Answering, Exchange, pick, sticky_key
from lifecycle.runtime.inference.batching import busy
from lifecycle.runtime.inference.faults import InjectedError
from lifecycle.runtime.inference.openai.asking import BadField, Wanted
from lifecycle.runtime.inference.openai.forms import Form, as_event, error_of, failure
from lifecycle.runtime.inference.protocol import ProtocolError
from lifecycle.runtime.inference.routing import LiveArm
from lifecycle.runtime.inference.writers import Writer, mean_of, prediction_of

if TYPE_CHECKING:
    from lifecycle.runtime.generation.answers import Answer

LEFT = 499  # the client disconnected before its answer ended
HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
}
log = logging.getLogger("lifecycle.runtime.inference")


@dataclass(slots=True)
class Writing:
    """An answer in progress with what it belongs to."""

    exchange: Exchange
    writer: Writer
    answer: Answer
    form: Form


class Chats:
    """Answers requests for text, and reports each of them as infer requests are."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    async def __call__(self, request: Request, exchange: Exchange, wanted: Wanted) -> Response:
        """The response to an authorised request."""
        try:
            writing = await self._begin(request, exchange, wanted)
        except ProtocolError as error:
            return self._refused(exchange, error)
        except InjectedError:
            return self._refused(exchange, ProtocolError(500, FAILED))
        except Exception:
            log.exception("chat_failed request_id=%s", exchange.request_id)
            return self._refused(exchange, ProtocolError(500, FAILED))
        arm = exchange.arm
        headers = {
            "x-request-id": exchange.request_id,
            "x-prediction-id": exchange.uuid,
            "x-model-version": arm.arm.version if arm else "",
            "x-arm": arm.arm.name if arm else "",
        }
        if wanted.stream:
            return Events(self, writing, headers)
        return await self._whole(request, writing, headers)

    async def _begin(self, request: Request, exchange: Exchange, wanted: Wanted) -> Writing:
        key = wanted.key or request.headers.get("x-route-key")
        exchange.key = sticky_key(exchange.live, key)
        arm = pick(exchange.live, exchange.key or exchange.chance("arm"), None)
        writer = arm.engine
        if not isinstance(writer, Writer):
            name = exchange.live.endpoint.name
            raise BadField("model", f"{name} doesn't generate text. Use /v2/models/{name}/infer.")
        exchange.rows, exchange.texts = (wanted.prompt,), 1
        exchange.is_comparable = wanted.is_plain
        prompt, _ = await self._answering.slots.run(1, lambda: prompt_of(writer, wanted))
        sampling = sampling_of(writer, wanted, prompt)
        exchange.arm = arm
        await self._answering.drill(exchange, arm)
        try:
            answer = writer.version.answer(prompt, sampling, wanted.stops)
        except Full as error:
            raise busy(error.seconds) from error
        return Writing(exchange, writer, answer, form_of(exchange, wanted, writer, arm))

    async def _whole(self, request: Request, writing: Writing, headers: dict[str, str]) -> Response:
        answer, exchange = writing.answer, writing.exchange
        with _released(answer):
            async with _watched(request.receive, answer):
                tokens = await answer.whole()
        code = self.report(writing, tokens)
        if code == 500:
            response = failure(ProtocolError(500, FAILED))
            response.headers["x-request-id"] = exchange.request_id
            return response
        body = writing.form.whole(answer.text, str(answer.finish), tokens, usage(answer))
        return JSONResponse(body, headers=headers)

    def report(self, writing: Writing, tokens: list[Token]) -> int:
        """Report an answer that ended, and return its code."""
        exchange, answer = writing.exchange, writing.answer
        codes = {Finish.CANCELLED: LEFT, Finish.FAILED: 500}
        code = codes.get(answer.finish, 200) if answer.finish else LEFT
        if code == 200:
            log_mean = mean_of([each.logprob for each in tokens])
            exchange.prediction, exchange.queue_seconds, exchange.run_seconds = prediction_of(
                writing.writer.card, [(answer, log_mean)], [False]
            )
        self._answering.report(exchange, code)
        return code

    def _refused(self, exchange: Exchange, error: ProtocolError) -> Response:
        self._answering.report(exchange, error.status)
        response = failure(error)
        response.headers["x-request-id"] = exchange.request_id
        return response


class Events(Response):
    """An answer as server-sent events. A client that leaves frees its place within a token."""

    def __init__(self, chats: Chats, writing: Writing, headers: dict[str, str]) -> None:
        super().__init__(headers=HEADERS | headers)
        del self.headers["content-length"]
        self._chats, self._writing = chats, writing
        self._tokens: list[Token] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        answer = self._writing.answer
        with _released(answer):
            try:
                async with _watched(receive, answer):
                    await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                    async for part in self._events():
                        await send({"type": "http.response.body", "body": part, "more_body": True})
                    await send({"type": "http.response.body", "body": b""})
            finally:
                self._chats.report(self._writing, self._tokens)

    async def _events(self) -> AsyncIterator[bytes]:
        answer, form = self._writing.answer, self._writing.form
        yield form.first()
        async for piece in answer.pieces():
            self._tokens += piece.tokens
            if piece.text or form.wanted.logprobs:
                yield form.piece(piece.text, piece.tokens)
        if answer.finish is Finish.FAILED:
            yield as_event(error_of(ProtocolError(500, FAILED)))
        else:
            yield form.last(str(answer.finish), usage(answer))


def prompt_of(writer: Writer, wanted: Wanted) -> Prompt:
    """The prompt as ids. Raises ProtocolError (400) where the model's template can't format the turns."""
    if isinstance(wanted.prompt, str):
        return writer.version.continuation(wanted.prompt)
    try:
        return writer.version.chat(wanted.prompt)
    except ValueError as error:
        raise BadField("messages", f"The model can't read messages in this order: {error}.") from error


def sampling_of(writer: Writer, wanted: Wanted, prompt: Prompt) -> Sampling:
    """How tokens are chosen, and how many. Raises ProtocolError (400) where the answer doesn't fit behind the
    prompt.
    """
    limit, asked = writer.version.limit, len(prompt.ids)
    room = limit - asked
    if room < (wanted.max_tokens or 1):
        answer = f", and {wanted.max_tokens} were requested for the response" if wanted.max_tokens else ""
        raise BadField(
            "messages" if wanted.is_chat else "prompt",
            f"This model reads at most {limit} tokens. The prompt has {asked}{answer}. Send less text, or"
            " lower max_tokens.",
            "context_length_exceeded",
        )
    most = wanted.max_tokens or min(room, writer.version.longest)
    return Sampling(most, wanted.temperature, wanted.top_p, wanted.seed, wanted.alternatives)


def form_of(exchange: Exchange, wanted: Wanted, writer: Writer, arm: LiveArm) -> Form:
    """The frame of the answer."""
    return Form(
        wanted,
        f"{'chatcmpl' if wanted.is_chat else 'cmpl'}-{exchange.uuid}",
        int(exchange.at.timestamp()),
        exchange.live.endpoint.name,
        arm.arm.root_digest[:16],
        writer.version.spelled,
    )


def usage(answer: Answer) -> dict[str, int]:
    """Tokens of an answer that ended; all that were generated count, those of a stop text too."""
    asked, made = len(answer.prompt.ids), answer.ended.tokens if answer.ended else 0
    return {"prompt_tokens": asked, "completion_tokens": made, "total_tokens": asked + made}


@contextlib.contextmanager
def _released(answer: Answer) -> Iterator[None]:
    """Its place is free afterwards, whatever happens."""
    try:
        yield
    finally:
        answer.cancel()


@contextlib.asynccontextmanager
async def _watched(receive: Receive, answer: Answer) -> AsyncIterator[None]:
    """Cancel the answer when the client disconnects meanwhile."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        answer.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    finally:
        watcher.cancel()
