"""A stand-in for the engine program, without torch: runs the commands of the file `script` in the folder, one
a line.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path


def main(verb: str, folder: Path) -> int:
    asked = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked.set())

    def watch_parent() -> None:
        os.read(0, 1)
        asked.set()

    threading.Thread(target=watch_parent, daemon=True).start()
    events = (folder / "events.jsonl").open("a")
    seq = len((folder / "events.jsonl").read_text().splitlines())
    for word in (folder / "script").read_text().split():
        if word == "event":
            metric = {
                "seq": seq,
                "kind": "metric",
                "step": seq + 1,
                "total_steps": 4,
                "epoch": 0.0,
                "values": {},
            }
            events.write(json.dumps(metric) + "\n")
            events.flush()
            seq += 1
        elif word == "rows":
            events.write(
                json.dumps({"seq": seq, "kind": "progress", "done": seq + 1, "total": 9, "unit": "rows"})
                + "\n"
            )
            events.flush()
            seq += 1
        elif word == "torn":
            events.write('{"seq": ')
            events.flush()
        elif word == "environment":
            (folder / "environment.json").write_text(json.dumps(dict(os.environ)))
        elif word == "nice":
            (folder / "nice").write_text(str(os.nice(0)))
        elif word == "wait":
            asked.wait(30)
            return end(folder, "cancelled")
        elif word == "deaf":
            time.sleep(30)
        elif word == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif word == "crash":
            return 3
        elif word == "fail":
            return end(
                folder,
                "failed",
                {"code": "one_class", "message": "All rows have one label.", "next_step": "Label more."},
            )
    return end(folder, "succeeded")


def end(folder: Path, status: str, error: dict[str, str] | None = None) -> int:
    (folder / "result.tmp").write_text(
        json.dumps({"format": 1, "status": status, "error": error, "best_step": 4})
    )
    (folder / "result.tmp").rename(folder / "result.json")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
