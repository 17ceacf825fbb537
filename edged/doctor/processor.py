"""Check of the processor: whether llama.cpp's fast kernels can run on it, and which do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.doctor.finding import Finding, ok, skipped

if TYPE_CHECKING:
    from edged.models.facts import DeviceFacts

# What the fast kernels for quantised weights are made of, as Linux calls it.
FAST = {"aarch64": "asimddp", "x86_64": "avx2"}


def processor(device: DeviceFacts, backend: str | None) -> Finding:
    """Whether it has what the fast kernels need.

    Args:
        device: The board.
        backend: The library of a running engine for this kind of processor; None if none runs.
    """
    needed = FAST.get(device.architecture)
    if needed is None or not device.cpu_features:
        return skipped("processor", "the kernel does not tell what it can do")
    features = " ".join(device.cpu_features)
    library = "" if backend is None else f"; the engine computes with {backend}"
    evidence = f"{device.cpu or 'a processor'}: {features}{library}"
    if needed in device.cpu_features:
        return ok("processor", "it has what the fast kernels need", evidence)
    return Finding(
        code="slow_processor",
        severity="advice",
        text=f"it lacks {needed}, without which quantised weights take longer to multiply",
        evidence=evidence,
        advice="nothing is to be mended: smaller models are chosen; a Raspberry Pi 5 has it",
    )
