"""What is true of responses that are ranked, and of no other type."""

from __future__ import annotations

from lifecycle.runtime.task_types.contents.responses import plain


def test_messages_become_texts_and_a_prompt_may_be_missing():
    messages = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Yes?"}]

    assert plain(messages[1:]) == "Yes?"
    assert plain(messages) == "user: Hello?\nassistant: Yes?"
    assert plain("") == ""
