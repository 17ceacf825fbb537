"""`python -m bench.steady_worker ...`: the worker, but it never steps down for a neighbour."""

from __future__ import annotations

import sys
from math import inf

from edged.engine.worker import neighbours
from edged.engine.worker.__main__ import main

if __name__ == "__main__":
    # A threshold no share reaches; the product itself has no such switch.
    neighbours.BUSY_PART = inf  # type: ignore[misc]
    sys.exit(main())
