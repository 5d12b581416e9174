"""What people wrote opens nothing in Markdown that the product writes, and reads as it was typed."""

import pytest
from markdown_it import MarkdownIt

from lifecycle.ui.markdown import inline, paragraphs

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
WORDS = {
    "paragraph_open",
    "paragraph_close",
    "inline",
    "bullet_list_open",
    "bullet_list_close",
    "ordered_list_open",
    "ordered_list_close",
}
WORDS |= {"list_item_open", "list_item_close"}
WRITTEN = [
    "Route mail.\n\n## Results\n\nMacro-F1 0.99.",
    "Results\n=======\n\nBetter.",
    "Results\n-------\nBetter.",
    "Results\n:-:\n| 0.99 |",
    "| Metric | Value |\n| --- | --- |\n| Macro-F1 | 0.99 |",
    "Metric | Value\n--- | ---\nMacro-F1 | 0.99",
    "See [the report](https://evil.example) or <https://evil.example>.",
    "[the report]\n\n[the report]: https://evil.example",
    "![chart](https://evil.example/a.png)",
    "<h2>Results</h2>\n<script>alert(1)</script>",
    "&lt;h2&gt; and <!-- hidden",
    "```\n## Results\n```",
    "~~~\ncode\n~~~",
    "    ## Results",
    "\t# Results",
    "- a list\n  - ## Results\n- **bold** _and_ `code`",
    "1. # Results\n2) > quoted",
    "> # Results",
    "***",
    "a\u2028# Results\x85## More\r# Third",
    "---\nlicense: mit\n---",
    "\\# Results \\\\# twice",
]


@pytest.mark.parametrize("text", WRITTEN)
def test_what_people_wrote_is_paragraphs_and_lists_of_words(text):
    tokens = MARKDOWN.parse(paragraphs(text))

    assert {token.type for token in tokens} <= WORDS
    assert {child.type for token in tokens for child in token.children or []} <= {
        "text",
        "text_special",
        "softbreak",
    }


@pytest.mark.parametrize("text", WRITTEN)
def test_no_line_of_it_opens_anything_in_a_cell(text):
    tokens = MARKDOWN.parse(f"| Fact | Value |\n| --- | --- |\n| Name | {inline(text)} |")

    assert sum(token.type == "td_open" for token in tokens) == 2
    assert {child.type for token in tokens for child in token.children or []} <= {"text", "text_special"}


def test_it_reads_as_it_was_typed():
    text = "Not for <minors> & co: 5 * 3 = 15, a_b, #1!\n- one | two\n- see https://example.org"

    shown = MARKDOWN.parse(paragraphs(text))

    words = [
        "".join(child.content for child in token.children if child.content)
        for token in shown
        if token.type == "inline"
    ]
    assert words == ["Not for <minors> & co: 5 * 3 = 15, a_b, #1!", "one | two", "see https://example.org"]
    assert [token.type for token in shown].count("list_item_open") == 2


def test_addresses_make_no_links_of_themselves():
    assert (
        paragraphs("http://a.example WWW.b.example me@c.example")
        == "http\\://a.example WWW\\.b.example me\\@c.example"
    )
