"""models list, create."""

from __future__ import annotations

from typing import Any

from lifecycle.cli import find
from lifecycle.cli.errors import Usage
from lifecycle.cli.screen import table
from lifecycle.cli.session import Session


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    group = commands.add_parser("models", help="manage registered models").add_subparsers(metavar="WHAT", required=True)
    group.add_parser("list", parents=[common], help="by name").set_defaults(run=list_)
    new = group.add_parser("create", parents=[common], help="create a registered model, in --project where you see several")
    new.add_argument("slug", metavar="SLUG", help="its short name in addresses and MODEL@VERSION, such as support-inbox")
    new.add_argument("--name", default="", help="as people read it; the short name by default")
    new.add_argument("--purpose", default="", metavar="TEXT", help="the intended use, which each version's card states")
    new.set_defaults(run=create)


def list_(session: Session) -> None:
    """By name."""
    wanted, projects = find.project(session), find.slugs(session)
    rows = [row for row in session.api.get("/models/") if wanted in ("", row["project"])]
    lines = table(["MODEL", "PROJECT", "NAME"], [(row["slug"], projects[row["project"]], row["name"]) for row in rows])
    session.screen.show(rows, *(lines if rows else ["No models yet. Create one: lifecycle models create SLUG"]))


def create(session: Session) -> None:
    """In the project of --project, or the only one there is."""
    args, projects = session.args, find.slugs(session)
    project = find.project(session) or (next(iter(projects)) if len(projects) == 1 else "")
    if not project:
        raise Usage(f"Choose a project with --project: {', '.join(sorted(projects.values())) or 'you see none'}.")
    body = {"project": project, "slug": args.slug, "name": args.name or args.slug, "purpose": args.purpose}
    made = session.api.post("/models/", body)
    session.screen.show(made, f"Model {made['slug']} created.", f"Next: lifecycle register RUN {made['slug']}@1.0.0")
