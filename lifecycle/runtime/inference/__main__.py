"""`python -m lifecycle.runtime.inference`: one server process until SIGTERM, then a graceful shutdown with
exit code 0.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from types import FrameType

import uvicorn

from lifecycle.runtime.env import BadSetting
from lifecycle.runtime.inference import malformed, signs
from lifecycle.runtime.inference.app import Server
from lifecycle.runtime.inference.config import Config, from_environment

log = logging.getLogger("lifecycle.runtime.inference")
FINISH_SECONDS = 30


class DrainingServer(uvicorn.Server):
    """uvicorn with a two-step shutdown: SIGTERM makes `ready` false at once, and the port closes
    drain_seconds later. A server that isn't listening yet has nothing to drain.
    """

    def __init__(self, config: uvicorn.Config, server: Server) -> None:
        super().__init__(config)
        self._server = server

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain on SIGTERM, end at once on SIGINT or on a second signal of either kind."""
        if self.should_exit:
            self.force_exit = True
        elif (
            sig == signal.SIGTERM
            and self.started
            and not self._server.draining
            and self._server.config.drain_seconds
        ):
            log.info("draining seconds=%d", self._server.config.drain_seconds)
            timer = threading.Timer(self._server.config.drain_seconds, self._close)
            timer.daemon = True
            timer.start()
        else:
            self.should_exit = True
        self._server.draining = True

    def _close(self) -> None:
        self.should_exit = True


def serve(config: Config, inherited: socket.socket | None) -> None:
    """Serve until a signal; in-flight requests are finished and the spool is flushed before this returns.

    Opens the port, or accepts on the inherited socket, only when the models are loaded: see `Server`.
    """
    server = Server(config, group=group_of(inherited) if inherited and config.name else "")
    settings = uvicorn.Config(
        server.application(),
        host=config.host,
        port=config.port,
        access_log=False,
        server_header=False,
        log_level="warning",
        lifespan="on",
        http=malformed.Protocol,
        ws="none",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )
    log.info(
        "starting host=%s port=%d socket=%d data_dir=%s",
        config.host,
        config.port,
        config.socket,
        config.data_dir,
    )
    DrainingServer(settings, server).run(sockets=[inherited] if inherited else None)
    log.info("ended written=%d dropped=%d", server.spool.written, server.spool.dropped)


def take_over(number: int) -> socket.socket | None:
    """The inherited listening socket of this number; None for 0. Raises BadSetting where it isn't a
    socket.
    """
    try:
        return socket.socket(fileno=number) if number else None
    except OSError as error:
        raise BadSetting(
            f"INFERENCE_SOCKET is {number}, which is no open socket: {error.strerror}."
        ) from error


def group_of(listening: socket.socket) -> str:
    """An ID shared by exactly the servers that inherited the same socket."""
    return f"{signs.host()} {os.fstat(listening.fileno()).st_ino}"


def main() -> int:
    """The exit code of the process."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s inference %(message)s"
    )
    try:
        config = from_environment()
        inherited = take_over(config.socket)
    except BadSetting as error:
        log.error("bad_setting reason=%r", str(error))
        return 2
    serve(config, inherited)
    return 0


if __name__ == "__main__":
    sys.exit(main())
