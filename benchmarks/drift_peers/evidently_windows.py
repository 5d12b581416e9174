"""Runs in Evidently's own environment: `python evidently_windows.py windows.json`. Last line: shares of
windows in which it found drift.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import warnings
from typing import Any

import pandas as pd
from evidently.legacy.metric_preset import DataDriftPreset
from evidently.legacy.pipeline.column_mapping import ColumnMapping
from evidently.legacy.report import Report

warnings.filterwarnings("ignore")
COLUMNS = ColumnMapping(categorical_features=["label"], numerical_features=["confidence", "chars", "oov"])


def read(given: dict[str, Any]) -> pd.DataFrame:
    """One set of rows."""
    return pd.DataFrame(given)


def drift(reference: pd.DataFrame, current: pd.DataFrame, **options: Any) -> dict[str, Any]:
    """{"share": of drifted columns, "dataset": bool, "columns": {name: [test, drifted]}} of one window."""
    report = Report(metrics=[DataDriftPreset(**options)])
    report.run(reference_data=reference, current_data=current, column_mapping=COLUMNS)
    table = next(
        each["result"] for each in report.as_dict()["metrics"] if "drift_by_columns" in each["result"]
    )
    columns = {
        name: [each["stattest_name"], bool(each["drift_detected"])]
        for name, each in table["drift_by_columns"].items()
    }
    return {"dataset": bool(table["dataset_drift"]), "columns": columns}


def main() -> None:
    """Every set of windows, with the defaults and with PSI."""
    with open(sys.argv[1], encoding="utf-8") as file:
        sets = json.load(file)
    reference = read(sets.pop("reference"))
    found: dict[str, dict[str, float]] = {}
    tests: dict[str, str] = {}
    for name, windows in sets.items():
        default = [drift(reference, read(each)) for each in windows]
        psi = [drift(reference, read(each), stattest="psi") for each in windows]
        tests = {column: test for column, (test, _) in default[0]["columns"].items()}
        found[name] = {
            "any column": mean([any(hit for _, hit in each["columns"].values()) for each in default]),
            "dataset": mean([each["dataset"] for each in default]),
            "any column by PSI": mean([any(hit for _, hit in each["columns"].values()) for each in psi]),
        }
    versions = {name: importlib.metadata.version(name) for name in ("evidently", "pandas")}
    print(
        json.dumps(
            {"version": versions["evidently"], "pandas": versions["pandas"], "tests": tests, "windows": found}
        )
    )


def mean(hits: list[bool]) -> float:
    """The share of hits."""
    return sum(hits) / len(hits)


if __name__ == "__main__":
    main()
