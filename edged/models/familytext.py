"""What is recorded of a family's files, put beside the files that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

if TYPE_CHECKING:
    from edged.models.catalogtext import QualityText, VariantText

_OTHER_BYTES = "; of a file whose numbers are rounded differently"
_MAX_SOURCE = 200  # characters that a catalogue takes


def member_type(variant: VariantText) -> str:
    """The type that a file's name ends with: `pocket-Q4_K.gguf` gives `Q4_K`."""
    return str(variant.file).removesuffix(".gguf").rpartition("-")[2]


def located(variant: VariantText, path: str, size: int, sha256: str) -> VariantText:
    """A recorded variant with the file that is there.

    Args:
        variant: As it is recorded.
        path: Absolute.
        size: Bytes of the file.
        sha256: Of the file. Another processor may round a scale differently, and then it is
            another one; a file of another size is of another recipe, and its quality unknown.
    """
    if variant.sha256 == sha256:
        quality = variant.quality
    else:
        quality = _elsewhere(variant.quality) if variant.bytes == size else None
    return replace(variant, path=path, bytes=size, sha256=sha256, quality=quality)


def _elsewhere(quality: QualityText | None) -> QualityText | None:
    if quality is None:
        return None
    said = str(quality.source)[: _MAX_SOURCE - len(_OTHER_BYTES)]
    return replace(quality, source=said + _OTHER_BYTES)
