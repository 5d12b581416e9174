"""Outgoing messages: signed, deduplicated, retried, and never sent into a private network unless that is
allowed.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.errors import HeaderParseError
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.core import mail
from django.core.exceptions import PermissionDenied

from lifecycle.ground.notices import delivery, rules, sending
from lifecycle.ground.notices.models import Channel, Delivery
from lifecycle.runtime.env import BadSetting, mail_settings
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.ledger.models import Event
from tests.support.unchanged import refused

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HOOK = "https://hooks.example.org/services/T0/abc"


@pytest.fixture
def mail_is_set(settings):
    settings.EMAIL_IS_SET = True


@pytest.fixture
def receiver():
    """A server on this machine that keeps what it gets; `answers` are the statuses it gives, the last one for
    ever.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            server = self.server
            server.got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(server.answers.pop(0) if len(server.answers) > 1 else server.answers[0])
            self.send_header("Location", "http://127.0.0.1:9/")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.got, server.answers = [], [204]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def hook(project, lee, receiver, settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    address = f"http://127.0.0.1:{receiver.server_port}/in?team=ml"
    return delivery.add_channel(
        project=project, kind="webhook", name="Duty", address=address, wants=["page"], actor=lee
    )


def post(channel, key="k", at=NOON):
    data = {"event": "alert", "severity": "page"}
    return delivery.post(
        channel, key=key, subject="Errors burn", text="14 of 100 failed.", url="/alerts/", data=data, now=at
    )


def test_a_webhook_is_signed_over_its_time_and_its_bytes(hook, receiver):
    made = post(hook)

    assert delivery.deliver_due(NOON) == 1

    ((headers, body),) = receiver.got
    stamp = headers["Lifecycle-Timestamp"]
    secret = sending.secret_of(hook)
    assert secret.startswith("whsec_")
    assert (
        headers["Lifecycle-Signature"]
        == "v1=" + hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    )
    assert headers["Lifecycle-Delivery"] == str(made.uuid)
    assert headers["Host"] == f"127.0.0.1:{receiver.server_port}"
    assert json.loads(body) == {
        "at": "2026-11-24T12:00:00+00:00",
        "delivery": str(made.uuid),
        "event": "alert",
        "project": "inbox",
        "severity": "page",
        "subject": "Errors burn",
        "text": "14 of 100 failed.",
        "url": "http://localhost:8000/alerts/",
    }
    assert (Delivery.objects.get().state, Delivery.objects.get().sent_at) == ("sent", NOON)


def test_the_published_vector_of_the_signature():
    """The signature as receivers compute it, by docs/guide/on-call.md."""
    body = rules.body_of({"b": "ü", "a": 1})

    assert body == '{"a":1,"b":"ü"}'.encode()
    assert (
        rules.signature("whsec_test", 1764000000, body)
        == hmac.new(b"whsec_test", b"1764000000." + body, "sha256").hexdigest()
    )


def test_the_same_message_is_sent_once(hook, receiver):
    assert post(hook).pk == post(hook).pk

    delivery.deliver_due(NOON)
    delivery.deliver_due(NOON + timedelta(hours=1))

    assert len(receiver.got) == 1


def test_what_fails_is_tried_again_with_growing_pauses_and_then_given_up(hook, receiver):
    receiver.answers = [500]
    made, at, pauses = post(hook), NOON, []
    while (row := Delivery.objects.get(pk=made.pk)).state == "waiting":
        pauses.append((row.next_at - at).total_seconds())
        at = row.next_at
        assert delivery.deliver_due(at - timedelta(seconds=1)) == 0
        delivery.deliver_due(at)

    assert pauses == [0, 10, 30, 120, 600, 3600, 14400]
    assert (row.state, row.attempts, row.error) == ("failed", 7, "The receiver returned 500.")
    assert len(receiver.got) == 7


def test_a_redirect_is_not_followed(hook, receiver):
    receiver.answers = [307]
    post(hook)

    delivery.deliver_due(NOON)

    assert Delivery.objects.get().error == "The receiver returned 307; redirects are not followed."
    assert len(receiver.got) == 1


def test_a_sender_that_died_is_followed_by_another_after_its_lease(hook, receiver, monkeypatch):
    post(hook)
    with monkeypatch.context() as patch:
        patch.setattr(sending, "send", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            delivery.deliver_due(NOON)

    assert delivery.deliver_due(NOON + timedelta(seconds=119)) == 0
    assert delivery.deliver_due(NOON + timedelta(seconds=120)) == 1


@pytest.mark.postgres
def test_a_lease_begins_when_its_message_is_sent_however_long_the_one_before_took(project, hook, monkeypatch):
    clock, leases = [NOON], []

    def slow(sent):
        leases.append(Delivery.objects.get(pk=sent.pk).next_at)
        clock[0] += timedelta(seconds=150)

    monkeypatch.setattr(sending, "send", slow)
    monkeypatch.setattr(delivery.timezone, "now", lambda: clock[0])
    for key in ("a", "b"):
        post(hook, key)

    assert delivery.deliver_due() == 2

    assert leases == [NOON + rules.LEASE, NOON + timedelta(seconds=150) + rules.LEASE]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://hooks.example.org/", "Use https:"),
        ("ftp://hooks.example.org/", "starts with https://"),
        ("https://", "has a host"),
        ("https://me:secret@hooks.example.org/", "would appear in logs"),
        ("https://[::1", "Enter a valid URL."),
        ("http://127.0.0.1/", "Use https:"),
        ("https://1.1.1.1/\x7f", "Enter a valid URL."),
        ("https://hooks.example.org/\u202e", "Remove invisible characters"),
        ("https://\uff45xample.com", "Enter a valid URL."),
    ],
)
def test_an_address_that_is_not_allowed_is_refused(project, lee, url, message):
    with pytest.raises(Refused, match=message):
        delivery.add_channel(
            project=project, kind="webhook", name="Duty", address=url, wants=["page"], actor=lee
        )

    assert Channel.objects.count() == 0


@pytest.mark.parametrize("name", ["A\x0cBcc: x", "A\x7f", "\u202eA", " ", "A" * 61])
def test_a_name_that_is_no_line_of_text_is_refused(project, lee, name):
    with refused("name"):
        delivery.add_channel(
            project=project, kind="webhook", name=name, address=HOOK, wants=["page"], actor=lee
        )

    assert Channel.objects.count() == 0


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"address": "https://1.1.1.1/\x7f"}, "Enter a valid URL."),
        ({"address": "https://\uff45xample.com"}, "Enter a valid URL."),
        ({"kind": "email", "address": "\x0c@example.org"}, "Couldn't be sent (HeaderParseError)."),
    ],
)
def test_a_message_that_cannot_be_sent_keeps_no_other_from_arriving(
    project, hook, receiver, mail_is_set, monkeypatch, fields, error
):
    monkeypatch.setattr(
        sending, "email", lambda _: (_ for _ in ()).throw(HeaderParseError("as a broken header is refused"))
    )
    bad = Channel.objects.create(
        **{"project": project, "kind": "webhook", "name": "Bad", "wants": ["page"]} | fields
    )
    post(bad, at=NOON - timedelta(minutes=1))
    post(hook)

    assert delivery.deliver_due(NOON) == 1

    row = Delivery.objects.get(channel=bad)
    assert row.error == error
    assert (row.state, row.attempts, row.next_at) == ("waiting", 1, NOON + timedelta(seconds=10))
    assert len(receiver.got) == 1


def test_a_receiver_that_drips_its_answer_is_left_at_the_deadline(hook, receiver, monkeypatch):
    closed = threading.Event()

    def drip(self):
        try:
            while True:
                self.wfile.write(b"H")
                time.sleep(0.02)
        except OSError:
            closed.set()

    monkeypatch.setattr(receiver.RequestHandlerClass, "do_POST", drip)
    monkeypatch.setattr(sending, "DEADLINE_SECONDS", 0.3)
    post(hook)

    assert delivery.deliver_due(NOON) == 0

    assert Delivery.objects.get().error == "The receiver didn't respond within 0.3 s."
    assert closed.wait(10)


def test_the_deadline_ends_before_the_lease_does():
    assert timedelta(seconds=sending.DEADLINE_SECONDS) < rules.LEASE


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "::1",
        "fe80::1",
        "fc00::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "224.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "::8.8.8.8",
        "fec0::1",
        "192.0.0.9",
        "192.88.99.1",
        "240.0.0.1",
        "255.255.255.255",
        "::ffff:192.0.0.9",
        "::ffff:0:127.0.0.1",
        "::ffff:0:8.8.8.8",
        "100:0:0:1::1",
        "3fff::1",
        "5f00::1",
        "4000::1",
        "e000::1",
        "ff0e::1",
        "2001:4860::5efe:7f00:1",
        "2001:4860::200:5efe:a00:1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    ],
)
def test_a_name_that_leads_into_a_private_network_is_not_called(monkeypatch, address):
    answers = [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", (address, 443))]
    monkeypatch.setattr(rules.socket, "getaddrinfo", lambda *_, **__: answers)

    with pytest.raises(Refused) as refusal:
        rules.targets("hooks.example.org", 443, allow_private=False)

    assert "hooks.example.org can't be resolved, or resolves to a private address" in str(refusal.value)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
        "2001:4860::5efe:808:808",
        "2001:4860:4860::8888",
    ],
)
def test_an_address_on_the_open_internet_may_be_called_however_it_is_written(address):
    assert rules.is_public(ipaddress.ip_address(address))


def test_a_failed_delivery_does_not_distinguish_internal_from_unknown_names(monkeypatch):
    def error_for(answer):
        monkeypatch.setattr(rules.socket, "getaddrinfo", answer)
        with pytest.raises(Refused) as refusal:
            rules.targets("vault.example.org", 443, allow_private=False)
        return refusal.value.message, refusal.value.fields

    def unknown(*_, **__):
        raise socket.gaierror

    assert error_for(unknown) == error_for(lambda *_, **__: [(2, 1, 6, "", ("10.1.2.3", 443))])


def test_what_is_called_is_the_address_that_was_looked_up(monkeypatch):
    asked = []
    monkeypatch.setattr(rules.socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("93.184.216.34", 443))])

    class Client(sending.httpx.AsyncClient):
        def stream(self, method, url, **more):
            asked.append((method, str(url), more["headers"]["Host"], more["extensions"]))
            raise sending.httpx.ConnectError("no network in tests")

    monkeypatch.setattr(sending.httpx, "AsyncClient", Client)
    with pytest.raises(sending.httpx.ConnectError):
        sending.post(HOOK, b"{}", {})

    assert asked == [
        (
            "POST",
            "https://93.184.216.34/services/T0/abc",
            "hooks.example.org",
            {"sni_hostname": "hooks.example.org"},
        )
    ]


@pytest.mark.postgres
def test_a_private_address_is_refused_at_sending_and_nothing_is_called(project, lee, receiver, settings):
    address = f"https://127.0.0.1:{receiver.server_port}/"
    channel = Channel.objects.create(
        project=project, kind="webhook", name="Duty", address=address, wants=["page"]
    )
    post(channel)

    delivery.deliver_due(NOON)

    assert "resolves to a private address" in Delivery.objects.get().error
    assert receiver.got == []


def test_an_email_goes_to_all_addresses_of_its_channel_with_a_link(project, lee, mail_is_set):
    channel = delivery.add_channel(
        project=project,
        kind="email",
        name="Duty",
        address="duty@example.org,lead@example.org",
        wants=["page"],
        actor=lee,
    )
    made = post(channel)

    assert delivery.deliver_due(NOON) == 1

    (message,) = mail.outbox
    assert (message.subject, message.to, message.bcc) == (
        "[Lifecycle] Errors burn",
        [],
        ["duty@example.org", "lead@example.org"],
    )
    assert message.body == "14 of 100 failed.\n\nhttp://localhost:8000/alerts/"
    assert message.extra_headers["Message-ID"] == f"<{made.uuid}@lifecycle>"


def test_a_subject_is_one_line_whatever_it_is_made_of(project, lee, mail_is_set):
    channel = delivery.add_channel(
        project=project, kind="email", name="Duty", address="duty@example.org", wants=["page"], actor=lee
    )
    delivery.post(
        channel, key="k", subject="A\x0cBcc: x\x0by\r\nz\u2028", text="T", url="", data={}, now=NOON
    )

    assert delivery.deliver_due(NOON) == 1

    assert mail.outbox[0].subject == "[Lifecycle] A Bcc: x y  z "
    assert mail.outbox[0].message()["Subject"] == "[Lifecycle] A Bcc: x y  z "


def test_without_a_mail_server_an_email_channel_is_refused(project, lee):
    with refused("kind"):
        delivery.add_channel(
            project=project, kind="email", name="Duty", address="duty@example.org", wants=["page"], actor=lee
        )

    assert Channel.objects.count() == 0


def test_an_email_address_that_is_none_is_named(project, lee, mail_is_set):
    with refused("address", naming=("lead@",)):
        delivery.add_channel(
            project=project,
            kind="email",
            name="Duty",
            address="duty@example.org, lead@",
            wants=["page"],
            actor=lee,
        )


@pytest.mark.postgres
def test_only_leads_and_on_call_set_channels(project, mia, omar):
    with pytest.raises(PermissionDenied):
        delivery.add_channel(
            project=project, kind="webhook", name="Duty", address=HOOK, wants=["page"], actor=mia
        )
    assert Channel.objects.count() == 0

    made = delivery.add_channel(
        project=project, kind="webhook", name="Duty", address=HOOK, wants=["ticket", "page"], actor=omar
    )

    assert made.wants == ["page", "ticket"]
    assert "hooks.example.org" not in Event.objects.get(verb="alerts.channel_set").canonical
    with refused("name", by=Conflict, naming=("Duty",)):
        delivery.add_channel(
            project=project, kind="webhook", name="Duty", address=HOOK, wants=["page"], actor=omar
        )
    assert Channel.objects.count() == 1


def test_a_new_secret_replaces_the_old_one_once(hook, lee):
    before = sending.secret_of(hook)

    changed = delivery.new_secret(channel_id=hook.uuid, actor=lee, seen=1)

    assert sending.secret_of(changed) != before
    with pytest.raises(Conflict):
        delivery.new_secret(channel_id=hook.uuid, actor=lee, seen=1)
    assert Channel.objects.get().serial == 2


def test_what_waits_on_a_channel_that_is_switched_off_is_not_sent(hook, lee, receiver):
    post(hook)

    delivery.change_channel(channel_id=hook.uuid, actor=lee, is_on=False)
    delivery.deliver_due(NOON)

    assert (Delivery.objects.get().state, Delivery.objects.get().error) == (
        "failed",
        "The channel was turned off.",
    )
    assert receiver.got == []
    with refused(naming=("Duty",)):
        delivery.send_test(channel_id=hook.uuid, actor=lee, once="1")


def test_a_test_is_sent_once_for_a_double_click(hook, lee, receiver):
    for _ in range(2):
        delivery.send_test(channel_id=hook.uuid, actor=lee, once="form-1")
    delivery.deliver_due()

    assert (
        json.loads(receiver.got[0][1])["text"] == "A test of the channel Duty, sent by Lee. No action needed."
    )
    assert len(receiver.got) == 1
    assert Event.objects.filter(verb="alerts.channel_tested").count() == 1


def test_a_second_test_waits_for_a_minute(hook, lee, receiver):
    first = delivery.send_test(channel_id=hook.uuid, actor=lee, once="1")
    with refused(by=Conflict, naming=("Duty",)):
        delivery.send_test(channel_id=hook.uuid, actor=lee, once="2")
    delivery.deliver_due()
    with pytest.raises(Conflict):
        delivery.send_test(channel_id=hook.uuid, actor=lee, once="2")
    assert (Delivery.objects.count(), Event.objects.filter(verb="alerts.channel_tested").count()) == (1, 1)

    Delivery.objects.filter(pk=first.pk).update(created_at=first.created_at - timedelta(minutes=1))
    assert delivery.send_test(channel_id=hook.uuid, actor=lee, once="2").pk != first.pk


def test_a_test_that_waits_ends_when_a_newer_one_begins(hook, lee, receiver):
    first = delivery.send_test(channel_id=hook.uuid, actor=lee, once="1")
    Delivery.objects.filter(pk=first.pk).update(created_at=first.created_at - timedelta(minutes=1))

    second = delivery.send_test(channel_id=hook.uuid, actor=lee, once="2")
    delivery.deliver_due()

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, first.error, second.state) == ("failed", "A newer test was started.", "sent")
    assert len(receiver.got) == 1


def test_a_test_gets_one_try(hook, lee, receiver):
    receiver.answers = [500]
    sent = delivery.send_test(channel_id=hook.uuid, actor=lee, once="1")

    delivery.deliver_due()

    sent.refresh_from_db()
    assert (sent.state, sent.attempts) == ("failed", 1)


def test_a_broadcast_reaches_the_channels_that_want_it(project, hook):
    Channel.objects.create(project=project, kind="webhook", name="Quiet", address=HOOK, wants=["digest"])
    Channel.objects.create(
        project=project, kind="webhook", name="Off", address=HOOK, wants=["page"], is_on=False
    )

    count = delivery.broadcast(project, "page", key="k", subject="S", text="T", url="", data={}, now=NOON)

    assert count == 1
    assert [row.channel.name for row in Delivery.objects.all()] == ["Duty"]


@pytest.mark.postgres
def test_old_messages_are_forgotten(hook):
    post(hook, "old", NOON - timedelta(days=91))
    post(hook, "new", NOON)

    assert delivery.forget_old(NOON) == 1
    assert [row.key for row in Delivery.objects.all()] == ["new"]


@pytest.mark.parametrize(
    ("url", "host", "port", "tls", "ssl"),
    [
        ("smtp://mail.example.org", "mail.example.org", 25, False, False),
        ("smtp://me:p%40ss@mail.example.org:2525?tls=1", "mail.example.org", 2525, True, False),
        ("smtp://mail.example.org?tls=1", "mail.example.org", 587, True, False),
        ("smtps://mail.example.org", "mail.example.org", 465, False, True),
    ],
)
def test_the_mail_server_is_one_address(url, host, port, tls, ssl):
    found = mail_settings(url)

    assert (found["EMAIL_HOST"], found["EMAIL_PORT"], found["EMAIL_USE_TLS"], found["EMAIL_USE_SSL"]) == (
        host,
        port,
        tls,
        ssl,
    )
    assert found["EMAIL_HOST_PASSWORD"] == ("p@ss" if "me" in url.split("@")[0] and "@" in url else "")


@pytest.mark.parametrize("url", ["http://mail.example.org", "smtp://", "smtp://host:port"])
def test_a_mail_address_that_makes_no_sense_ends_the_start(url):
    with pytest.raises(BadSetting, match="EMAIL_URL"):
        mail_settings(url)
