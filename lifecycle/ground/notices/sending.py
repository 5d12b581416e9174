"""One message out, by e-mail or by webhook. Slow by nature: only ever called by a periodic task or a thread,
never in a request.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from lifecycle.ground.notices import rules
from lifecycle.ground.notices.models import Channel, Delivery
from lifecycle.ground.notices.rules import ChannelKind
from lifecycle.runtime.env import secret_file
from lifecycle.runtime.refusals import Refused

TIMEOUT_SECONDS = 5.0  # of one step: to connect, to send, to read
# of a whole call, which ends well within rules.LEASE: a receiver that drips bytes holds no one up
DEADLINE_SECONDS = 10.0


class NotSent(Exception):
    """The message did not arrive; the text is the reason, without secrets."""


def send(delivery: Delivery) -> None:
    """Send it once. Raises NotSent."""
    (email if delivery.channel.kind == ChannelKind.EMAIL else webhook)(delivery)


def email(delivery: Delivery) -> None:
    """A plain text to all addresses of the channel, each hidden from the others."""
    if not settings.EMAIL_IS_SET:
        raise NotSent("No mail server is configured: EMAIL_URL is empty.")
    link = f"\n\n{settings.SITE_URL}{delivery.url}" if delivery.url else ""
    message = EmailMessage(
        subject=one_line(f"[Lifecycle] {delivery.subject}"),
        body=delivery.text + link,
        bcc=[each.strip() for each in delivery.channel.address.split(",")],
        headers={"Message-ID": f"<{delivery.uuid}@lifecycle>", "Auto-Submitted": "auto-generated"},
        connection=get_connection(timeout=TIMEOUT_SECONDS),
    )
    try:
        message.send()
    except OSError as error:  # SMTPException is one
        raise NotSent(f"The mail server rejected it ({type(error).__name__}).") from error


def one_line(text: str) -> str:
    """The text without line breaks and invisible characters, for a header."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def webhook(delivery: Delivery, now: float | None = None) -> None:
    """A signed POST to the channel's address: to the address that was looked up and found public, without
    following redirects.
    """
    channel = delivery.channel
    body = rules.body_of(message_of(delivery))
    timestamp = int(time.time() if now is None else now)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Lifecycle",
        "Lifecycle-Delivery": str(delivery.uuid),
        "Lifecycle-Timestamp": str(timestamp),
        "Lifecycle-Signature": f"v1={rules.signature(secret_of(channel), timestamp, body)}",
    }
    try:
        status = post(channel.address, body, headers)
    except Refused as refusal:
        raise NotSent(refusal.message) from refusal
    except TimeoutError as error:
        raise NotSent(f"The receiver didn't respond within {DEADLINE_SECONDS:g} s.") from error
    except httpx.HTTPError as error:
        raise NotSent(f"The receiver didn't respond ({type(error).__name__}).") from error
    if not 200 <= status < 300:
        raise NotSent(
            f"The receiver returned {status}{'; redirects are not followed' if 300 <= status < 400 else ''}."
        )


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """The status of the answer; its body is not read. Raises Refused for an address that is not allowed,
    TimeoutError, httpx.HTTPError.
    """
    allow = settings.WEBHOOK_ALLOW_PRIVATE
    parts = rules.check_url(url, allow_private=allow)
    host, port = rules.host_of(parts), parts.port or (443 if parts.scheme == "https" else 80)
    address = rules.targets(host, port, allow_private=allow)[0]
    pinned = parts.copy_with(host=address)  # call the checked address: a second look-up could give another
    name = f"[{host}]" if ":" in host else host
    headers = headers | {"Host": name if parts.port is None else f"{name}:{parts.port}"}
    return asyncio.run(call(pinned, body, headers, host))


async def call(url: httpx.URL, body: bytes, headers: dict[str, str], name: str) -> int:
    """One POST under the deadline, since a timeout of a socket begins again with every byte. name: in the
    certificate.
    """
    async with (
        asyncio.timeout(DEADLINE_SECONDS),
        httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False) as client,
        client.stream(
            "POST", url, content=body, headers=headers, extensions={"sni_hostname": name}
        ) as answer,
    ):
        return answer.status_code


def message_of(delivery: Delivery) -> dict[str, object]:
    """The JSON that a webhook receives."""
    return {
        "delivery": str(delivery.uuid),
        "project": delivery.channel.project.slug,
        "subject": delivery.subject,
        "text": delivery.text,
        "url": f"{settings.SITE_URL}{delivery.url}" if delivery.url else "",
        "at": delivery.created_at.isoformat(timespec="seconds"),
        **delivery.data,
    }


def secret_of(channel: Channel) -> str:
    """The secret with which messages to a webhook are signed. Shown once, when it is made; here it is derived
    each time.
    """
    key = secret_file(Path(settings.DATA_DIR) / "keys" / "webhook_key")
    raw = hmac.new(key.encode(), f"{channel.uuid}:{channel.serial}".encode(), hashlib.sha256).digest()
    return "whsec_" + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def host_of(channel: Channel) -> str:
    """Where it goes, as lists show it: a URL's path may hold a token of the receiver."""
    return (
        channel.address if channel.kind == ChannelKind.EMAIL else (urlsplit(channel.address).hostname or "")
    )
