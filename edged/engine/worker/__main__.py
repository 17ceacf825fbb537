"""`python -m edged.engine.worker FD SIDE`: the engine child on these two sockets."""

from __future__ import annotations

import socket
import sys

from edged.engine.frames import LoadFailed
from edged.engine.worker.channel import Channel
from edged.engine.worker.guard import protect
from edged.errors import FrameError

_MAX_LINE = 4000
# A descriptor is sent before the frame that needs it.
_SIDE_S = 5.0


def main() -> int:
    """Serve the daemon; returns the exit status."""
    sock, side = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    side.settimeout(_SIDE_S)
    protect(sock)
    channel = Channel(sock)
    try:
        # After protect(): native code is loaded here for the first time.
        from edged.engine.worker.loop import Worker  # noqa: PLC0415
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        message = f"llama-cpp-python: {error}"[:_MAX_LINE]
        channel.send(LoadFailed(code="no_engine", message=message))
        return 1
    try:
        Worker(channel, side).run()
    except FrameError as error:
        sys.stderr.write(f"the daemon broke the protocol: {error}\n")
        return 2
    return 1


if __name__ == "__main__":
    sys.exit(main())
