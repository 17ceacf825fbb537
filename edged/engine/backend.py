"""What the kernels that compute could not use, since this processor does not have it."""

from __future__ import annotations

# As llama.cpp prints them: what tells the architecture, and what its fast integer kernels need. A
# Cortex-A72 has no dot products and multiplies quantised weights at a fraction of an A76's rate.
_FAST = (("NEON", "DOTPROD"), ("SSE3", "AVX2"))


def lack(system_info: str) -> str | None:
    """What is wanting, in words; None if nothing is.

    Args:
        system_info: llama.cpp's own line about the processor.
    """
    for architecture, feature in _FAST:
        if f"{architecture} = 1" in system_info and f"{feature} = 1" not in system_info:
            return f"this processor has no {feature}, so it reads and writes slower"
    return None
