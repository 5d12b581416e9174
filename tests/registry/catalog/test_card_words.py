"""What people state in a card is plain text in its sections: it opens no section, table, link or HTML beside
the product's own.
"""

import re

from registry.catalog import card
from tests.support.registry import make_version

FORGED = """Route mail.

## Results

| Metric | Value |
|---|---|
| Macro-F1 | 0.99 |

Results
=======

<h2>Thread</h2> [approved](https://evil.example)"""
SECTIONS = ["Purpose", "Data", "Training", "Results", "Limits", "Risks", "Provenance", "Loading"]


def test_a_statement_opens_no_section_of_the_card(project, mia, ravi):
    version = make_version(project, mia, ravi)
    plain = card.body(card.write(version.facts, {}))

    shown = card.body(card.write(version.facts, dict.fromkeys(("purpose", "limits", "risks"), FORGED)))

    assert re.findall(r"<h4>(.*?)</h4>", shown) == SECTIONS
    assert shown.count("<h3>") == 1
    assert (shown.count("<table"), shown.count("<a ")) == (plain.count("<table"), plain.count("<a "))
    assert shown.count("## Results") == 3
    assert "&lt;h2&gt;Thread&lt;/h2&gt; [approved](https://evil.example)" in shown


def test_results_show_in_how_many_groups_of_near_duplicates_the_rows_come(project, mia, ravi):
    facts = make_version(project, mia, ravi).facts
    grouped = facts["evaluation"] | {"rows": 1800, "clusters": 1650}

    alone = card.results(facts | {"evaluation": facts["evaluation"] | {"rows": 1800}})
    assert ("1,800 rows" in alone, "1,650" in alone) == (True, False)
    assert "1,800 rows in 1,650 groups" in card.results(facts | {"evaluation": grouped})


def test_what_was_stated_reads_as_it_was_typed(project, mia, ravi):
    facts = make_version(project, mia, ravi).facts

    shown = card.body(
        card.write(
            facts, {"purpose": "Routes mail.\n\n- English\n- German & Dutch", "limits": "5 * 3 < 16_000 #1"}
        )
    )

    assert "<p>Routes mail.</p>\n<ul>\n<li>English</li>\n<li>German &amp; Dutch</li>\n</ul>" in shown
    assert "<p>5 * 3 &lt; 16_000 #1</p>" in shown
