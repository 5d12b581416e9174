"""The machine's capabilities: cores, bf16, libraries, base models."""

from __future__ import annotations

import importlib.metadata
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from lifecycle.runtime.engine import base, devices

PACKAGES = (
    "torch",
    "transformers",
    "peft",
    "accelerate",
    "tokenizers",
    "safetensors",
    "numpy",
    "onnxruntime",
)


def bf16_supported() -> bool:
    """Whether the CPU multiplies bf16 in hardware."""
    return bool(
        torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and torch.ops.mkldnn._is_mkldnn_bf16_supported()
        and _has_bf16_instructions()
    )


def _has_bf16_instructions() -> bool:
    return any(
        bool(getattr(torch.cpu, name, bool)())
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )


def choose_precision(wanted: str) -> str:
    """fp32 or bf16: as wanted, or for `auto` bf16 where the processor multiplies it itself. Nothing is timed:
    a machine that is busy for a moment would choose otherwise, and the same run end with other weights.
    """
    return wanted if wanted != "auto" else "bf16" if bf16_supported() else "fp32"


def environment(device: str = "cpu") -> dict[str, Any]:
    """Python, packages, CPU, threads and device, as result.json records them. device: what was computed
    on.
    """
    return {
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "cpu": cpu_name(),
        "threads": torch.get_num_threads(),
        "device": devices.described(device),
    }


def cpu_name() -> str:
    """The processor's own name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )


def probe() -> dict[str, Any]:
    """The answer of the verb `probe`."""
    bases = [{**asdict(each), "path": str(each.path)} for each in base.available()]
    return {
        "format": 1,
        "status": "succeeded",
        "environment": environment(),
        "bf16": {"supported": bf16_supported()},
        "bases": bases,
    }
