"""Channels are listed without what their addresses hold, and tested by name."""

from __future__ import annotations

import pytest

from lifecycle.ground.notices.models import Channel, Delivery


@pytest.fixture
def channel(project):
    return Channel.objects.create(
        project=project, kind="webhook", name="Duty", address="https://example.org/T0/secret", wants=["page"]
    )


def test_channels_are_listed_by_host(as_person, omar, project, channel):
    command = as_person(omar)

    result = command("channels", "list")

    assert [line.split() for line in result.out.splitlines()] == [
        ["CHANNEL", "KIND", "TO", "TAKES"],
        ["Duty", "webhook", "example.org", "page", "on"],
    ]
    assert command("channels", "list", "--project", "inbox", "--field", "0.uuid").out == f"{channel.uuid}\n"


def test_one_is_tested_by_name_and_not_again_at_once(as_person, omar, channel, site):
    command = as_person(omar)

    result = command("channels", "test", "Duty")

    assert (result.code, result.out) == (
        0,
        f"A test message is on its way over Duty. See how it went: {site}/alerts/channels/\n",
    )
    assert Delivery.objects.get().channel == channel
    again = command("channels", "test", "Duty")
    assert (again.code, again.err) == (
        1,
        "A test of Duty was just sent. Check its result, and try again in a minute.\n",
    )
    assert Delivery.objects.count() == 1


def test_sending_a_test_message_needs_the_role(as_person, mia, channel):
    result = as_person(mia)("channels", "test", "Duty")

    assert (result.code, result.err) == (1, "Only an ML lead or an on-call can do this.\n")
    assert not Delivery.objects.exists()


def test_without_a_channel_the_list_names_who_adds_one(as_person, omar, project):
    assert (
        as_person(omar)("channels", "list").out
        == "No channels. An ML lead or on-call adds one on the alerts page.\n"
    )
