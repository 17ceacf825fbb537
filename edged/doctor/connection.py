"""A short connection to the broker, as the daemon would make it."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edged.client.link import decode_object
from edged.doctor.facts import Broker
from edged.errors import EdgedError
from edged.mqtt.client import Client
from edged.mqtt.packet import MAX_FACT_BYTES
from edged.mqtt.topics import Topics
from edged.password import read_password
from edged.serving.facts import Facts

if TYPE_CHECKING:
    from edged.settings import Config

LISTEN_S = 2.0  # retained messages come at once
# Where systemd has the daemon's password from; only root may read it.
CREDENTIAL = Path("/etc/credstore/edged.mqtt-password")
MAX_WORD = 32  # bytes of an availability


def connect(config: Config, credential: Path = CREDENTIAL) -> tuple[Broker, dict[str, object]]:
    """Connect, subscribe to what edged retains, listen, leave.

    Args:
        config: With the broker and its credentials.
        credential: A file with the password, if the configuration names none.

    Returns:
        What it came to, and the retained state; empty if there is none.
    """
    where = f"{config.mqtt.host}:{config.mqtt.port}"
    topics = Topics(config.node, config.mqtt.reply_prefixes)
    facts = Facts(config.personas)
    try:
        with Client(config.mqtt, read_password(_password_file(config, credential))) as link:
            link.subscribe(topics.availability, topics.state)
            if facts.topics:
                with contextlib.suppress(EdgedError):  # those it refuses are silent
                    link.subscribe(*facts.topics)
            availability, state = _listen(link, topics, facts)
    except EdgedError as error:
        return Broker(where=where, problem=str(error)), {}
    found = Broker(
        where=where,
        availability=availability,
        topics=len(facts.topics),
        silent=facts.missing(time.monotonic()),
    )
    return found, state


def _listen(link: Client, topics: Topics, facts: Facts) -> tuple[str, dict[str, object]]:
    """What edged says of itself; what the house says goes into `facts`."""
    availability = ""
    state: dict[str, object] = {}
    unheard = set(facts.topics)
    deadline = time.monotonic() + LISTEN_S
    while (unheard or not (availability and state)) and (left := deadline - time.monotonic()) > 0:
        message = link.receive(left)
        if message is None:
            continue
        unheard.discard(message.topic)
        if message.topic == topics.availability:
            availability = message.payload[:MAX_WORD].decode(errors="replace")
        elif message.topic == topics.state:
            state = decode_object(message.payload)
        elif len(message.payload) <= MAX_FACT_BYTES:
            now = time.monotonic()
            facts.hear(message.topic, message.payload, now, connection=1, retained=True)
    return availability, state


def _password_file(config: Config, credential: Path) -> str | None:
    named = config.mqtt.password_file
    if named is None and os.access(credential, os.R_OK):
        return str(credential)
    return named
