"""Checks of the disk that models are on, and of the models themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.doctor.facts import Skipped
from edged.doctor.finding import Finding, ok, skipped

if TYPE_CHECKING:
    from edged.doctor.facts import Files, ReadSpeed
    from edged.models.facts import DeviceFacts

MB = 1e6
SLOW_MB_S = 40.0  # half of what a Pi 5 reads of a good card; below it a card is old, or fakes
SHOWN = 3  # files that are named


def storage(device: DeviceFacts, speed: ReadSpeed | Skipped, timeout_s: float) -> Finding:
    """How fast model files come from the disk.

    Args:
        device: The board.
        speed: As it was read.
        timeout_s: Seconds within which a model must be loaded.
    """
    if isinstance(speed, Skipped):
        return skipped("storage", speed.reason)
    rate = speed.rate / MB
    loading = speed.size / speed.rate
    evidence = (
        f"{rate:.0f} MB/s from {_kind(device)} ({speed.read / MB:.0f} MB of {speed.file}); "
        f"all of it takes {loading:.0f} s"
    )
    if loading > timeout_s:
        return Finding(
            code="storage_too_slow",
            severity="error",
            text="the model cannot be read within engine.load_timeout_s",
            evidence=f"{evidence}, and {timeout_s:g} s are allowed",
            advice="put models on an NVMe disk, or raise engine.load_timeout_s",
        )
    if rate < SLOW_MB_S:
        return Finding(
            code="storage_slow",
            severity="advice",
            text="the disk reads slowly",
            evidence=evidence,
            advice="a model loads faster from a card of class A2, and ten times so from NVMe",
        )
    return ok("storage", "the disk reads fast enough", evidence)


def _kind(device: DeviceFacts) -> str:
    names = {"sd": "an SD card", "nvme": "NVMe", "usb": "a USB disk", "disk": "a disk"}
    return names.get(device.storage, "a disk of unknown kind")


def models(files: Files) -> list[Finding]:
    """What is wrong with files in the models directory; one that all is well if nothing is."""
    if files.denied:
        return [skipped("models", f"{files.directory} is not ours to read; use sudo")]
    checks = (_broken(files), _changed(files), _quarantined(files), _unverified(files))
    found = [finding for finding in checks if finding is not None]
    if not found and not files.stored:
        return [skipped("models", f"no model file in {files.directory}")]
    return found or [
        ok("models", "all model files are sound", f"{len(files.stored)} in {files.directory}")
    ]


def _broken(files: Files) -> Finding | None:
    if not files.broken:
        return None
    return Finding(
        code="model_broken",
        severity="warning",
        text=f"{_files(len(files.broken))} cannot be used as a model",
        evidence=_some([f"{name}: {reason}" for name, reason in files.broken.items()]),
        advice="remove it (edged rm) or fetch it again (edged pull)",
    )


def _changed(files: Files) -> Finding | None:
    changed = [each.file for each in files.stored if each.changed]
    if not changed:
        return None
    return Finding(
        code="model_changed",
        severity="warning",
        text=f"{_files(len(changed))} changed after being verified",
        evidence=_some(changed),
        advice="fetch it again with edged pull if that was not you",
    )


def _quarantined(files: Files) -> Finding | None:
    if not files.bad:
        return None
    return Finding(
        code="model_quarantined",
        severity="warning",
        text=f"{_files(len(files.bad))} in the quarantine",
        evidence=_some([f"{mark.file}: {mark.reason}" for mark in files.bad]),
        advice="edged rm forgets it; edged pull fetches it again",
    )


def _unverified(files: Files) -> Finding | None:
    unknown = [each.file for each in files.stored if each.record is None]
    if not unknown:
        return None
    return Finding(
        code="model_unverified",
        severity="advice",
        text=f"{_files(len(unknown))} never verified as a whole, only by the header",
        evidence=_some(unknown),
        advice="compare its sha256 with that of its publisher, or fetch it with edged pull",
    )


def _files(count: int) -> str:
    return "one file" if count == 1 else f"{count} files"


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN
    return "; ".join(names[:SHOWN]) + (f"; and {more} more" if more > 0 else "")
