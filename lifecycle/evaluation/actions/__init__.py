"""Asking for evaluations and keeping what they found; having models suggest labels."""

from __future__ import annotations

from lifecycle.evaluation.actions.measuring import SPLITS, after_success, check_measurable, evaluate, keep
from lifecycle.evaluation.actions.probing import keep_probes, probe
from lifecycle.evaluation.actions.suggesting import run_suggest, suggest

__all__ = ["SPLITS", "after_success", "check_measurable", "evaluate", "keep", "keep_probes", "probe", "run_suggest", "suggest"]
