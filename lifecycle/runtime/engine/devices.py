"""The device that a run trains on: chosen at its first start, stored with it, and only read here.

What is not training (the graph that serves, evaluations, baselines) computes on the CPU. Nothing here was
measured on a GPU.
"""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lifecycle.runtime.engine.data import DEVICE
from lifecycle.runtime.engine.document import SpecError
from lifecycle.runtime.engine.events import write_json
from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.engine.spec import TrainSpec

CPU, CUDA = "cpu", "cuda"
WORKSPACE = ":4096:8"  # of cuBLAS: without it the same product may round otherwise from one run to the next


def kept(spec: TrainSpec, folder: Path) -> str:
    """cpu or cuda: the device of the run's first start, on which alone it goes on to the same weights; chosen
    now where this is the first.

    Raises EngineFault `no_device` where it asks for a GPU, or was begun on one, and torch can use none here.
    """
    path, there = folder / DEVICE, torch.cuda.is_available()
    if path.exists():
        device = str(json.loads(path.read_text(encoding="utf-8"))["device"])
        asked = "started on a GPU"
    else:
        device = (CUDA if there else CPU) if spec.device == "auto" else spec.device
        asked = "needs a GPU"
    if device == CUDA and not there:
        raise EngineFault(
            "no_device",
            f"This run {asked}, but torch finds none on this machine.",
            "Start a GPU worker (manage.py worker training --device cuda), or start a new run on the CPU.",
        )
    if not path.exists():
        write_json(path, {"device": device})
    return device


def prepare(device: str, processes: int, rank: int = 0) -> None:
    """Have this process compute on its own GPU, and in the same order each time. Nothing for the CPU. Raises
    SpecError where there are fewer GPUs than processes.
    """
    if device != CUDA:
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", WORKSPACE)
    count = torch.cuda.device_count()
    if processes > count:
        raise SpecError(
            "processes", f"must be at most {count}, the number of GPUs of this worker: each process uses one."
        )
    torch.cuda.set_device(rank)


def place(device: str, rank: int = 0) -> str:
    """The name by which torch knows the device of one of the processes that train together."""
    return f"{device}:{rank}" if device == CUDA else device


def beside(model: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The batch where the model is. On the CPU these are the same tensors."""
    at = next(model.parameters()).device
    return {name: each.to(at) for name, each in batch.items()}


def choose_precision(wanted: str) -> str:
    """fp32 or bf16 on a GPU: as wanted, or for `auto` bf16 where the GPU multiplies it itself. fp16 is never
    chosen: its gradients overflow now and then, which would count as diverged training here. Raises SpecError
    for bf16 on a GPU that only imitates it.
    """
    real = torch.cuda.is_bf16_supported(including_emulation=False)
    if wanted == "bf16" and not real:
        raise SpecError("precision", "must be auto or fp32 on this GPU, which doesn't support bf16.")
    return wanted if wanted != "auto" else "bf16" if real else "fp32"


def described(device: str) -> str:
    """The device as results record it: cpu, or the GPU's name with the version of CUDA."""
    return f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}" if device == CUDA else CPU


def peak_memory(device: str) -> dict[str, Any]:
    """peak_gpu_memory_mb (MB of 2^20 bytes) of this process's tensors on its GPU; nothing on the CPU."""
    return (
        {"peak_gpu_memory_mb": round(torch.cuda.max_memory_allocated() / 2**20, 1)} if device == CUDA else {}
    )


def release_memory(device: str) -> None:
    """Release unused memory to the machine: torch's cache on the GPU, and glibc's on the host."""
    if device == CUDA:
        torch.cuda.empty_cache()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # other libraries of C have no such call
        trim(0)
