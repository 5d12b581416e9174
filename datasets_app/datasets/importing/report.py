"""The results of a dry run: problems with their lines, and counts. Pure; contains no text of the file."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from datasets_app.datasets.rules import LABELS_LIMIT

KEPT = 100
PEOPLE_LIMIT = 5_000  # annotators of one file
TITLES = {
    "encoding": "Invalid bytes for the encoding",
    "quoting": "Broken quoting",
    "ragged": "Wrong number of cells",
    "header": "Column names",
    "nul": "NUL characters",
    "surrogate": "Unpaired surrogates",
    "long_line": "Lines too long",
    "long_cell": "Cells too long",
    "json": "Entries that aren't JSON objects",
    "unread": "Unreadable predictions",
    "new_label": "New labels",
    "config": "Labeling configuration",
    "many_people": "Too many annotators",
    "annotator": "Labels without an annotator",
    "contradicting": "Conflicting labels",
    "left_out": "Not imported",
    "rows": "Too many rows",
    "empty_text": "Rows without text",
    "long_text": "Texts too long",
    "label": "Invalid label names",
    "many_labels": "Too many labels",
    "id": "IDs too long",
    "group": "Groups too long",
    "time": "Unreadable times",
    "split": "Unknown splits",
    "tag": "Lines without a tag",
    **dict.fromkeys(("labels", "several"), "Rows with several annotations of one person"),
    **dict.fromkeys(
        ("answer", "not_json", "shape", "names", "kind", "metadata", "content"),
        "Unreadable annotations and contents",
    ),
    **dict.fromkeys(
        ("blank", "unstorable_text", "unknown_label"), "Annotations without a usable text or label"
    ),
    **dict.fromkeys(
        ("span", "offsets", "outside", "white_space", "other_text", "too_many_spans", "tags", "tokens"),
        "Spans that don't match their text",
    ),
    **dict.fromkeys(
        ("messages", "first_turn", "turn", "turn_changed", "turn_keys", "no_answer"),
        "Chats with invalid turns",
    ),
    **dict.fromkeys(("responses", "choice", "ranking"), "Comparisons that don't match their responses"),
    "mapping": "Column mapping",
    "empty": "Nothing to import",
    "type": "File type",
    "memory": "Memory needed",
    "slow": "Time needed",
    "layout": "Layout of another task",
    "turns": "Chats to check",
    "equal": "Identical responses",
    "twins": "Look-alike texts",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem with a file. line: from 1; 0 for the file as a whole. fix: how to solve it.

    blocks: the file cannot be imported until it's fixed; otherwise only the row is left out. member: the file
    inside an archive. notice: no row is wrong; part of the file isn't imported.
    """

    line: int
    code: str
    sentence: str
    fix: str
    blocks: bool = False
    member: str = ""
    notice: bool = False


@dataclass(slots=True)
class Report:
    """The totals of a dry run. rows: all that were read; ok: those that would become items, including
    duplicates.

    labeled: of these, with a label. layout: the name of the file's layout, or empty.
    people, models: annotators and models in the source tool, with counts.
    accounts: the account names of those people who have an account here.
    contradicting: texts with different labels and no annotator; contradictions: the first of them, as lines
    and labels. values: raw values of the label column with counts; decided: those that are mapped to another
    one, or explicitly. config: the labeling configuration next to the data, as text. classes: the labels that
    it lists for the mapped question.
    """

    rows: int = 0
    ok: int = 0
    failed: int = 0
    blocked: bool = False
    problems: list[Problem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    labeled: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    people: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    accounts: dict[str, str] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)
    config: str = ""
    values: dict[str, int] = field(default_factory=dict)
    decided: dict[str, str] = field(default_factory=dict)
    splits: Counter[str] = field(default_factory=Counter)
    columns: list[str] = field(default_factory=list)
    repeated: int | None = 0
    contradicting: int = 0
    contradictions: list[dict[str, Any]] = field(default_factory=list)
    layout: str = ""

    def add(self, problem: Problem) -> None:
        """Count a problem, and keep it if it's among the first or blocks."""
        self.counts[problem.code] += 1
        self.blocked = self.blocked or problem.blocks
        if len(self.problems) < KEPT or problem.blocks:
            self.problems.append(problem)

    def add_label(self, name: str, line: int) -> None:
        """Count a row's label; blocks if a file has more labels than a label schema may have."""
        self.labels[name] += 1
        if len(self.labels) == LABELS_LIMIT + 1:
            sentence = f"The label column has more than {LABELS_LIMIT:,} different values."
            self.add(
                Problem(
                    line,
                    "many_labels",
                    sentence,
                    "Map another column to label: this one looks like texts or IDs.",
                    blocks=True,
                )
            )

    def add_person(self, name: str, line: int) -> None:
        """Count a person's annotation; blocks if a file has too many people."""
        self.people[name] += 1
        if len(self.people) == PEOPLE_LIMIT + 1:
            sentence = f"The file has more than {PEOPLE_LIMIT:,} annotators."
            self.add(Problem(line, "many_people", sentence, "Choose another column or parser.", blocks=True))

    def people_data(self) -> dict[str, Any]:
        """The annotators and models of another tool."""
        return {
            "people": dict(self.people.most_common()),
            "models": dict(self.models.most_common()),
            "accounts": self.accounts,
        }

    def as_json(self) -> dict[str, Any]:
        """Plain JSON types. labels: at most LABELS_LIMIT."""
        return {
            "rows": self.rows,
            "ok": self.ok,
            "failed": self.failed,
            "blocked": self.blocked,
            "labeled": self.labeled,
            "repeated": self.repeated,
            "layout": self.layout,
            "contradicting": self.contradicting,
            "contradictions": self.contradictions,
            "problems": [asdict(problem) for problem in self.problems],
            "counts": dict(self.counts),
            "columns": self.columns,
            "labels": dict(sorted(self.labels.most_common(LABELS_LIMIT))),
            "splits": dict(self.splits),
            **({"values": self.values} if self.values else {}),
            **({"classes": self.classes, "config": self.config} if self.config else {}),
            **(self.people_data() if self.people or self.models else {}),
        }
