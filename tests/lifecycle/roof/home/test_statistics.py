"""docs/statistics.md as a page for people who are signed in."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from django.template import Context, Template

from lifecycle.roof.home import statistics

TEXT = """# Statistics

What *each* is.

## Verdicts

| verdict | shown where |
|---|---|
| better | beyond it |

## Model evaluation

| number | what it is | assumptions | source |
|---|---|---|---|
| <a id="ece"></a>ECE | mean of \\|accuracy − confidence\\| | as [scores](#scores) | |
| <a id="scores"></a>`macro` <b> | a share | independent rows | Wilson |
"""


def test_a_table_of_numbers_becomes_entries_with_what_is_known_of_each():
    beginning, verdicts, evaluation = statistics.sections(TEXT)

    assert (beginning.anchor, beginning.text, beginning.entries) == (
        "",
        "<p>What <em>each</em> is.</p>\n",
        [],
    )
    assert (verdicts.anchor, verdicts.entries) == ("verdicts", [])
    assert (
        '<div class="tw" tabindex="0" role="region" aria-label="Verdicts, table 1"><table class="tbl">'
        in verdicts.text
    )
    assert (evaluation.anchor, evaluation.title, evaluation.text) == (
        "model-evaluation",
        "Model evaluation",
        "",
    )
    ece, scores = evaluation.entries
    assert (ece.anchor, ece.name) == ("ece", "ECE")
    assert ece.facts == [
        ("What it is", "mean of |accuracy − confidence|"),
        ("Assumptions", 'as <a href="#scores">scores</a>'),
    ]
    assert scores.name == "<code>macro</code> &lt;b&gt;"
    assert [head for head, _ in scores.facts] == ["What it is", "Assumptions", "Source"]


def test_a_link_leads_to_the_line_of_one_number_and_names_several():
    def shown(anchors):
        return Template("{% load lifecycle %}{% how_known " + anchors + " %}").render(Context())

    assert (
        shown('"text-drift"')
        == '<a class="how" href="/statistics/#text-drift">Method<span class="vh">: text drift</span></a>'
    )
    assert (
        shown('"ece" "gate-live" "gate-quality"')
        == '<span class="how">Method: <a href="/statistics/#ece">ECE</a>, <a'
        ' href="/statistics/#gate-live">not worse than live</a>, <a'
        ' href="/statistics/#gate-quality">quality</a></span>'
    )


@pytest.mark.django_db
def test_the_page_has_every_anchor_of_the_document_once(client_for, mia):
    markdown = (settings.BASE_DIR / "docs" / "statistics.md").read_text(encoding="utf-8")

    page = client_for(mia).get("/statistics/").content.decode()

    ids = re.findall(r' id="([a-z-]+)"', page)
    anchors = re.findall(r'<a id="([a-z-]+)"></a>', markdown)
    assert [ids.count(anchor) for anchor in anchors] == [1] * len(anchors)
    assert set(re.findall(r'href="#([a-z-]+)"', page)) <= set(ids) | {"main"}
    assert "&lt;a id=" not in page
