"""The pages of reference that are written from the code: `python -m tests.support.reference` writes them, a test compares them."""

from __future__ import annotations

from pathlib import Path

from registry.access.roles import ACTIONS, ADMIN_ACTIONS, Role, as_word
from registry.ledger.verbs import Verb

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


PAGES = {"permissions.md": permissions, "audit-verbs.md": audit_verbs}

if __name__ == "__main__":
    for name, text in PAGES.items():
        (DOCS / name).write_text(text(), encoding="utf-8")
