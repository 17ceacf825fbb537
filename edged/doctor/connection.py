"""A short connection to the broker, as the daemon would make it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edged.client.link import decode_object
from edged.doctor.facts import Broker
from edged.errors import EdgedError
from edged.mqtt.client import Client
from edged.mqtt.topics import Topics
from edged.password import read_password

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
    availability = ""
    state: dict[str, object] = {}
    try:
        with Client(config.mqtt, read_password(_password_file(config, credential))) as link:
            link.subscribe(topics.availability, topics.state)
            deadline = time.monotonic() + LISTEN_S
            while not (availability and state) and (left := deadline - time.monotonic()) > 0:
                message = link.receive(left)
                if message is not None and message.topic == topics.availability:
                    availability = message.payload[:MAX_WORD].decode(errors="replace")
                elif message is not None:
                    state = decode_object(message.payload)
    except EdgedError as error:
        return Broker(where=where, problem=str(error)), {}
    return Broker(where=where, availability=availability), state


def _password_file(config: Config, credential: Path) -> str | None:
    named = config.mqtt.password_file
    if named is None and os.access(credential, os.R_OK):
        return str(credential)
    return named
