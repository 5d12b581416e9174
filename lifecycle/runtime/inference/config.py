"""Settings of the server, from its environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lifecycle.runtime.env import env_bool, env_int, env_str


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of one server process. slots: parallel engine runs; queue_texts: texts that may run or wait;
    drain_seconds: between SIGTERM and closing the port, while `ready` is already false; name: of this
    replica, where several share a data folder; drills: whether injected faults apply; socket: number of an
    inherited listening socket, 0 to open one at host and port; processes: how many servers `manage.py up`
    runs on one port, not read by a server itself.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8001
    slots: int = 2
    queue_texts: int = 256
    drain_seconds: int = 1
    spool_mb: int = 1_000
    name: str = ""
    metrics_token: str = ""
    drills: bool = False
    socket: int = 0
    processes: int = 2

    @property
    def public_key(self) -> Path:
        """The key that routes and artifacts are verified with."""
        return self.data_dir / "keys" / "signing.pub.pem"


def from_environment() -> Config:
    """The settings. Raises BadSetting, naming the variable."""
    return Config(
        data_dir=Path(env_str("DATA_DIR", "var")).resolve(),
        host=env_str("INFERENCE_HOST", "127.0.0.1"),
        port=env_int("INFERENCE_PORT", 8001, low=1, high=65_535),
        slots=env_int("INFERENCE_SLOTS", os.cpu_count() or 1, low=1, high=256),
        queue_texts=env_int("INFERENCE_QUEUE_TEXTS", 256, low=1, high=100_000),
        drain_seconds=env_int("INFERENCE_DRAIN_SECONDS", 1, low=0, high=600),
        spool_mb=env_int("INFERENCE_SPOOL_MB", 1_000, low=1, high=1_000_000),
        name=env_str("INFERENCE_NAME"),
        metrics_token=env_str("METRICS_TOKEN"),
        drills=env_bool("INFERENCE_DRILLS", False),
        socket=env_int("INFERENCE_SOCKET", 0, low=0, high=1_000_000),
        processes=env_int("INFERENCE_PROCESSES", 2, low=1, high=64),
    )
