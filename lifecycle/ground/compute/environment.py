"""The environment of engine processes: a short list of plain settings, without secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

# where the engine is imported from; never a folder that a run writes
ROOT = Path(__file__).resolve().parents[3]

# Names that an engine process inherits. Everything else (database, broker, storage, secrets, tokens, proxies)
# stays outside.
INHERITED = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "CUDA_HOME",
    "VIRTUAL_ENV",
    "TASK_TYPES",
    "TASK_TYPES_FILE",
)


def scrubbed(
    parent: Mapping[str, str],
    *,
    threads: int | None,
    gpus: Sequence[str] = (),
    extra: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The environment of an engine process. threads: how many cores it may use, None for its own choice.
    gpus: those that it sees, as CUDA_VISIBLE_DEVICES names them; none unless they are given, so that what
    runs beside training takes no GPU from it.
    """
    environment = {name: parent[name] for name in INHERITED if name in parent}
    environment |= {
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "PYTHONHASHSEED": "0",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_WAIT_POLICY": "PASSIVE",
        # scikit-learn's matrices are small: threads make them slower, and the last digits theirs
        "OPENBLAS_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": ",".join(gpus),
    }
    if threads is not None:
        environment |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    return environment | dict(extra or {})
