"""What the child does to itself before anything else, so that it can hurt nobody."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import struct
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_UCRED = struct.Struct("3i")
# Of all processes in the house the kernel should kill this one first: it holds the most memory
# and is the only one that is restarted for free.
_OOM_SCORE_ADJ = "800"
# It writes nothing but Python's own caches, which fit; a runaway write must not fill the card.
_MAX_FILE_BYTES = 4 << 20


def protect(sock: socket.socket) -> None:
    """Tie this process to the one at the other end of `sock`; exits if that one is gone already."""
    _die_with_parent(sock)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_FILE_BYTES, _MAX_FILE_BYTES))
    _volunteer_for_the_oom_killer()
    # systemd and a terminal signal the whole group; the daemon drains first and then closes the
    # socket, which ends this process.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _die_with_parent(sock: socket.socket) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # Whoever made the socketpair is the parent; had it died before prctl, no signal would come.
    maker, _, _ = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    if maker and os.getppid() != maker:
        os._exit(1)


def _volunteer_for_the_oom_killer() -> None:
    try:
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE_ADJ, encoding="ascii")
    except OSError:
        # A container may mount /proc read-only; then the kernel's own choice stands.
        return
