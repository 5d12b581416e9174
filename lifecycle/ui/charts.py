"""A chart of a page: figure, finding, data. Colors are token names such as "$c1" or "$c1/14", never hex."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SIZES = ("short", "", "tall", "taller")


@dataclass(frozen=True)
class Chart:
    """A figure with its caption and the data behind it.

    id: unique on the page. lead: the finding, in bold; caption: the rest of the sentence. figure: {"data":
    [...], "layout": {...}} as Plotly takes it. head, rows: the data as a table, all points or a fair part of
    them with csv_url leading to all. size: one of SIZES. updates_url: returns the new points, {"traces": [0,
    1], "x": [[...], [...]], "y": [[...], [...]], "next": url or null}, and where axes, labels or finding move
    with them the whole chart: "chart": {"figure": {...}, "lead": "...", "caption": "..."}.
    """

    id: str
    lead: str
    figure: Mapping[str, Any]
    caption: str = ""
    head: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    size: str = ""
    csv_url: str = ""
    updates_url: str = ""

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise ValueError(
                f"The chart {self.id!r} has the unknown size {self.size!r}; choose from"
                f" {', '.join(map(repr, SIZES))}."
            )

    @property
    def alt(self) -> str:
        """The caption as one text, for screen readers."""
        return f"{self.lead} {self.caption}".strip()

    @property
    def json(self) -> dict[str, Any]:
        """The figure with every key that the page's script reads."""
        return {"data": list(self.figure["data"]), "layout": dict(self.figure.get("layout", {}))}
