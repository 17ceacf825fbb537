"""What the child does to itself before anything else, so that it can hurt nobody."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import struct
from pathlib import Path
from types import MappingProxyType

_PR_SET_PDEATHSIG = 1
_UCRED = struct.Struct("3i")
# Of all processes in the house the kernel should kill this one first: it holds the most memory
# and is the only one that is restarted for free.
_OOM_SCORE_ADJ = "800"
# It writes nothing but Python's own caches, which fit; a runaway write must not fill the card.
_MAX_FILE_BYTES = 4 << 20
# Whose slice is longer gives a core at once to whoever wakes, with all rights to as much of it in
# the end. With the usual slice of 1 to 3 ms the first word, on its way through daemon, broker and
# reader, waits at each for a thread that computes the second.
_SLICE_NS = 20_000_000
_SCHED_SETATTR = MappingProxyType({"x86_64": 314, "aarch64": 274})
# struct sched_attr: size, policy, flags, nice, priority, runtime, deadline, period.
_SCHED_ATTR = struct.Struct("=IIQiIQQQ")


def protect(sock: socket.socket) -> None:
    """Tie this process to the one at the other end of `sock`; exits if that one is gone already."""
    _die_with_parent(sock)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_FILE_BYTES, _MAX_FILE_BYTES))
    _volunteer_for_the_oom_killer()
    _let_others_first()
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


def _let_others_first() -> None:
    """Ask for longer slices, for all threads to come; kernels before 6.12 have none to give."""
    number = _SCHED_SETATTR.get(os.uname().machine)
    if number is not None:
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        attributes = _SCHED_ATTR.pack(_SCHED_ATTR.size, 0, 0, nice, 0, _SLICE_NS, 0, 0)
        ctypes.CDLL(None).syscall(number, 0, attributes, 0)
