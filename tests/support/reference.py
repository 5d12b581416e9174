"""The pages of reference that are written from the code: `python -m tests.support.reference` writes them, a test compares them."""

from __future__ import annotations

from pathlib import Path

from lifecycle.engine import defaults
from lifecycle.engine.spec import TASKS
from lifecycle.engine.spec import Strategy as Spec
from lifecycle.training.rules import CONSEQUENCE, Strategy
from registry.access.roles import ACTIONS, ADMIN_ACTIONS, Role, as_word
from registry.ledger.verbs import Verb
from tests.support.architectures import MODELS

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"

PERMISSIONS = """# Permissions

Written from `registry/access/roles.py` by `python -m tests.support.reference`; a test compares the two. A role is held in a project, or on
one dataset or registered model in it. What a person may not see answers 404; what they see but may not do answers 403 with the roles that
may. `is_staff` and `is_superuser` give nothing.

{table}

The **organisation admin** is no role in a project. In any project they may: {admin}. They see no samples and take no decisions.

## Separation of duties

These rules come on top of the table, whatever the roles:

- Nobody approves a promotion that they asked for, whose run they launched or resumed, whose version they registered, or labels of whose
  test split they decided. Nobody decides twice on one request: each step of the policy is another person.
- The standard policy has two steps: an ML lead (technical), then a governance reviewer. No API token approves, rejects or gives roles.
- Approving and rejecting need a reason and the password again; after five wrong passwords in five minutes it is not looked at.
- Nobody settles an item that they labelled themselves.
- Only the requester or an ML lead withdraws a request. Approving changes no traffic: deploying is an action of its own.
- `endpoints.infer` decides whose tokens an endpoint takes; a person who is deactivated or loses the role loses their tokens with it.
"""

VERBS = """# Audit verbs

Every decision that the trail knows, written from `registry/ledger/verbs.py` by `python -m tests.support.reference`, compared
by a test. The part before the dot is the room. A verb is never renamed or removed, since old events carry it.

{table}
"""

STRATEGIES = """# Strategies

What learns in a run, written from `lifecycle/training/rules.py` and `lifecycle/engine/defaults.py` by `python -m tests.support.reference`;
a test compares them, and `tests/engine/test_strategies.py` trains each. They learn **one class per text** or **any number of classes per
text**, on encoders whose layers stand in a list. Snapshots of other tasks are refused in a sentence.

{table}

## Tasks and base models

Which task each strategy learns on which kind of base: **1** is one class per text, **n** any number of classes. Every cell is one test of
`tests/engine/test_strategy_table.py`, which takes a step and exports the graph that serves, on an encoder of three layers.

{bases}

- *Any number of classes*: a sigmoid for each class, and a threshold of its own, that of the best F1 on validation; 0.5 for a class that
  fewer than 20 validation rows have. With `operating_point` *precision* or *recall* it is one of at least `operating_target` there, and
  the artifact says which classes do not reach it; the best step is chosen at the best F1. Class weights count a yes of a rare class more,
  up to a hundred times.
- The best step is the one of the best macro-F1 on validation, with every task.
- Every artifact is served from one ONNX graph in fp32, or in int8 where that passed its gate. LoRA and IA3 are added into the weights of
  that graph; bottleneck adapters stay layers of their own. IA3 needs to know which weights it scales:
  BERT's, RoBERTa's and DeBERTa's, not others'.
- **Frozen layers** are the lowest ones; with the embeddings they do not learn. *Fast LoRA* runs them once, without dropout, and keeps what
  they give to each token on the disk (2 bytes a number) until the run has ended.
- Losses: cross entropy (of each class apart, with any number of classes), with class weights, label smoothing, or focal loss. Schedules:
  linear, cosine, constant, each behind a warm-up. *Batches of one step* act as a larger batch; *gradient checkpointing* takes time for
  memory.
- `lifecycle launch DATASET@NUMBER --strategy NAME --set SETTING=VALUE` takes the names of this table.
"""
KEPT = {
    "full": "all weights", "lora": "a PEFT adapter", "fast_lora": "a PEFT adapter", "ia3": "a PEFT adapter",
    "adapter": "adapter weights of our own layout, with the loading code in the card", "head": "the head",
}  # fmt: skip


def table(head: list[str], rows: list[list[str]], *, centred_from: int) -> str:
    """A Markdown table."""
    rule = ["---" if at < centred_from else ":-:" for at in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows])


def permissions() -> str:
    """The text of docs/permissions.md."""
    rows = [[f"`{action}`", *("●" if role in holders else "" for role in Role)] for action, holders in ACTIONS.items()]
    head = ["action", *(as_word(role) for role in Role)]
    return PERMISSIONS.format(table=table(head, rows, centred_from=1), admin=", ".join(f"`{action}`" for action in sorted(ADMIN_ACTIONS)))


def audit_verbs() -> str:
    """The text of docs/audit-verbs.md."""
    rows = [[f"`{verb.value}`", str(verb.label)] for verb in Verb]
    return VERBS.format(table=table(["verb", "… did what"], rows, centred_from=2))


def strategies() -> str:
    """The text of docs/strategies.md."""
    order = [name for name in Spec.__dataclass_fields__ if name in defaults.INNER]
    rows = []
    for each in Strategy:
        own = ", ".join(f"`{name}`" for name in order if name in defaults.settings_of(each))
        rate = f"{defaults.ENCODER_RATE[each]:g}" if defaults.ENCODER_RATE[each] else "none"
        rows.append([f"**{each.label}** `{each.value}`", CONSEQUENCE[each], own or "none", rate, KEPT[each]])
    head = ["strategy", "what it means", "its own settings", "suggested rate", "what is kept"]
    return STRATEGIES.format(table=table(head, rows, centred_from=9), bases=strategy_bases())


def strategy_bases() -> str:
    """Strategies by architecture, with the tasks that each learns there."""
    known = {"single_label": "1", "multi_label": "n"}
    learnt = " ".join(known[task] for task in TASKS)
    rows = [
        [each.label, *("–" if each == Strategy.IA3 and name not in defaults.IA3_MODELS else learnt for name in MODELS)] for each in Strategy
    ]
    return table(["strategy", *MODELS], rows, centred_from=1)


PAGES = {"permissions.md": permissions, "audit-verbs.md": audit_verbs, "strategies.md": strategies}

if __name__ == "__main__":
    for name, text in PAGES.items():
        (DOCS / name).write_text(text(), encoding="utf-8")
