"""Start evaluations and analyses, store their results, and pre-label with models."""

from __future__ import annotations

from lifecycle.modeling.evaluation.actions.analysing import (
    COMPUTATIONS,
    analyse,
    job_kind,
    keep_finding,
    runner,
)
from lifecycle.modeling.evaluation.actions.asking import ask_people, open_side_by_side
from lifecycle.modeling.evaluation.actions.comparing import compare_uncached, run_comparison, start_comparison
from lifecycle.modeling.evaluation.actions.measuring import (
    PARQUET,
    SPLITS,
    after_success,
    check_measurable,
    evaluate,
    export_rows,
    keep,
)
from lifecycle.modeling.evaluation.actions.suggesting import run_suggest, suggest

__all__ = [
    "COMPUTATIONS",
    "PARQUET",
    "SPLITS",
    "after_success",
    "analyse",
    "ask_people",
    "check_measurable",
    "compare_uncached",
    "evaluate",
    "export_rows",
    "job_kind",
    "keep",
    "keep_finding",
    "open_side_by_side",
    "run_comparison",
    "run_suggest",
    "runner",
    "start_comparison",
    "suggest",
]
