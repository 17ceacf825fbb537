"""The broker password: from systemd's credential or from a file, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

from edged.errors import StorageError
from edged.files import read_bounded

CREDENTIAL = "mqtt-password"  # LoadCredential=mqtt-password:... in the unit
MAX_BYTES = 4096  # more than any broker takes


def read_password(password_file: str | None) -> bytes | None:
    """Reads the broker password.

    Args:
        password_file: `mqtt.password_file`; the systemd credential wins over it.

    Returns:
        The first line of the file, or None where neither is there.

    Raises:
        StorageError: When the file cannot be read or is empty; the text names it.
    """
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if directory is not None and (credential := Path(directory, CREDENTIAL)).exists():
        password_file = str(credential)
    if password_file is None:
        return None
    password = read_bounded(Path(password_file), MAX_BYTES).split(b"\n", 1)[0].rstrip(b"\r")
    if not password:
        message = f"{password_file}: the first line, the password, is empty"
        raise StorageError(message)
    return password
