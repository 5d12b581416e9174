"""Modules that are shipped with an exported model and work without this product: each is copied unchanged as
one file.
"""

from __future__ import annotations

from pathlib import Path

MODELING = "modeling_lifecycle"  # of transformers, for models that none of its own classes computes exactly
SERVED = "lifecycle_model"  # of MLflow: the graph that serves


def source(module: str) -> str:
    """The text of a module."""
    return (Path(__file__).parent / f"{module}.py").read_text(encoding="utf-8")
