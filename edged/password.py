"""Secrets: from systemd's credentials or from files, and nowhere else."""

from __future__ import annotations

import os
import re
from pathlib import Path

from edged.errors import StorageError
from edged.files import read_bounded

CREDENTIAL = "mqtt-password"  # LoadCredential=mqtt-password:... in the unit
HUB_CREDENTIAL = "hub-token"
MAX_BYTES = 4096  # more than any broker takes

# what may stand in a header: a line feed there would add one of its own
_TOKEN = re.compile(r"[\x21-\x7e]+")


def read_password(password_file: str | None) -> bytes | None:
    """Reads the broker password.

    Args:
        password_file: `mqtt.password_file`; the systemd credential wins over it.

    Returns:
        The first line of the file, or None where neither is there.

    Raises:
        StorageError: When the file cannot be read or is empty; the text names it.
    """
    return _first_line(password_file, CREDENTIAL, "password")


def read_token(token_file: str | None) -> str | None:
    """Reads the token for gated repositories of the hub.

    Args:
        token_file: `model.download.token_file`; the systemd credential wins over it.

    Returns:
        The first line of the file, or None where neither is there.

    Raises:
        StorageError: When the file cannot be read, is empty, or holds what no token has; the text
            names the file and nothing of its content.
    """
    line = _first_line(token_file, HUB_CREDENTIAL, "token")
    if line is None:
        return None
    token = line.decode("ascii", "replace")
    if not _TOKEN.fullmatch(token):
        message = f"{token_file or HUB_CREDENTIAL}: the first line is no token"
        raise StorageError(message)
    return token


def _first_line(file: str | None, credential: str, what: str) -> bytes | None:
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if directory is not None and (given := Path(directory, credential)).exists():
        file = str(given)
    if file is None:
        return None
    line = read_bounded(Path(file), MAX_BYTES).split(b"\n", 1)[0].rstrip(b"\r")
    if not line:
        message = f"{file}: the first line, the {what}, is empty"
        raise StorageError(message)
    return line
