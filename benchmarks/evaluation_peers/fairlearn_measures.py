"""fairlearn's fairness measures of answers in an .npz file, as JSON. Runs in fairlearn's own environment."""

from __future__ import annotations

import json
import sys

import numpy as np
from fairlearn.metrics import (
    demographic_parity_difference,
    equal_opportunity_difference,
    equalized_odds_difference,
)

MEASURES = (demographic_parity_difference, equal_opportunity_difference, equalized_odds_difference)

rows = np.load(sys.argv[1])
found = {
    str(label): {
        measure.__name__: float(
            measure(rows["truth"] == label, rows["predicted"] == label, sensitive_features=rows["groups"])
        )
        for measure in MEASURES
    }
    for label in rows["asked"]
}
print(json.dumps(found))
