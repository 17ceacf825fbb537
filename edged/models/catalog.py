"""The catalogue of model files: YAML to families, or every mistake in it at once.

Files are merged in order: a family that stands in a later one too is changed key by key and
variant by variant, and what is new there is added. `order` of a file puts families first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

import msgspec
from msgspec.structs import asdict, replace

from edged.models.catalogtext import CatalogueText, FamilyText, VariantText
from edged.models.variants import Catalogue, Family, Published, Quality, Variant
from edged.sections import Problem, Reader
from edged.yamltree import Mapping, Scalar, Sequence, YamlFault, read_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from edged.yamltree import Tree

GB, GIB = 10**9, 1 << 30
BITS = 8
MAX_LABEL = 60  # characters of a name in a problem
_NOWHERE = "has no repo, url or path, so it cannot be had"
_QUALITY = ("percent", "source")
_PUBLISHED = ("board", "engine", "tps", "source")

SizeIs: TypeAlias = Literal["exact", "rounded", "unknown"]
_Text = TypeVar("_Text", bound=msgspec.Struct)


def parse(data: bytes, source: str) -> CatalogueText | list[Problem]:
    """One file, or every mistake in it.

    Args:
        data: Its bytes, UTF-8 YAML of at most 128 KiB.
        source: What to call it in a problem.
    """
    try:
        tree = read_tree(data)
    except YamlFault as fault:
        return [Problem("", fault.line, fault.message, source)]
    reader = Reader(source)
    text = CatalogueText(**reader.section(tree, CatalogueText, ""))
    reader.check(_broken(text))
    found = reader.report()
    return [replace(each, where=_named(each.where, tree)) for each in found] or text


def merge(
    parts: Iterable[tuple[str, CatalogueText]], packaged: str = ""
) -> Catalogue | list[Problem]:
    """All files as one catalogue, or what is still missing in it.

    Args:
        parts: What to call each file, and what `parse` found in it; later ones have the last word.
        packaged: The folder of the packaged files, absolute.
    """
    families: dict[str, FamilyText] = {}
    order: tuple[str, ...] = ()
    last: dict[str, str] = {}
    for source, text in parts:
        order = (*text.order, *order)
        for family in text.families:
            name = str(family.id)
            families[name] = _changed_family(families.get(name, FamilyText()), family)
            last[name] = source
    problems = [
        Problem(f"family {name}, variant {variant.file}", None, _NOWHERE, last[name])
        for name, family in families.items()
        for variant in family.variants
        if not (variant.repo or family.repo or variant.url or variant.path or variant.packaged)
    ]
    built = Catalogue(families=tuple(_family(family, packaged) for family in families.values()))
    return problems or built.ordered(order)


def _changed_family(old: FamilyText, new: FamilyText) -> FamilyText:
    variants = {variant.file: variant for variant in old.variants}
    for variant in new.variants:
        variants[variant.file] = _changed(variants.get(variant.file, VariantText()), variant)
    return replace(_changed(old, new), variants=tuple(variants.values()))


def _changed(old: _Text, new: _Text) -> _Text:
    said = {key: value for key, value in asdict(new).items() if value not in {None, ()}}
    return replace(old, **said)


def _family(text: FamilyText, packaged: str) -> Family:
    name = str(text.id)
    return Family(
        id=name,
        name=text.name or name,
        license=text.license,
        architecture=text.architecture,
        parameters=text.parameters,
        active=text.active,
        kv_bytes_per_token=text.kv_bytes_per_token,
        context=text.context,
        fallback=bool(text.fallback),
        variants=tuple(_variant(text, variant, packaged) for variant in text.variants),
    )


def _variant(family: FamilyText, text: VariantText, packaged: str) -> Variant:
    file = str(text.file)
    size, size_is = _size(family, text)
    return Variant(
        id=file.removesuffix(".gguf"),
        family=str(family.id),
        file=file,
        repo=text.repo or family.repo,
        revision=text.revision or (None if text.repo else family.revision) or "main",
        url=text.url,
        path=f"{packaged}/{file}" if text.packaged else text.path,
        bytes=size,
        bytes_are=size_is,
        sha256=text.sha256,
        bpw=text.bpw,
        kind=text.kind or "other",
        quality=None if text.quality is None else Quality(**asdict(text.quality)),
        published=tuple(Published(**asdict(each)) for each in text.published),
    )


def _size(family: FamilyText, text: VariantText) -> tuple[int | None, SizeIs]:
    """Bytes of a file, from what is said most exactly.

    Bits per weight times parameters were right to 0.2 % on two files whose size was published.
    """
    if text.bytes is not None:
        return text.bytes, "exact"
    if text.gib is not None:
        return round(text.gib * GIB), "rounded"
    if text.gb is not None:
        return round(text.gb * GB), "rounded"
    if text.bpw is not None and family.parameters is not None:
        return round(text.bpw * family.parameters / BITS), "rounded"
    return None, "unknown"


def _broken(text: CatalogueText) -> Iterator[tuple[tuple[str, ...], str]]:
    yield from _unique("families", "id", [family.id for family in text.families])
    for index, family in enumerate(text.families):
        place = f"families[{index}]"
        names = [variant.file for variant in family.variants]
        yield from _unique(f"{place}.variants", "file", names)
        for number, variant in enumerate(family.variants):
            yield from _variant_broken(f"{place}.variants[{number}]", variant)
        if family.active and family.parameters and family.active > family.parameters:
            keys = (f"{place}.active", f"{place}.parameters")
            yield keys, f"is {family.active}, above the {family.parameters} parameters"


def _unique(place: str, key: str, names: list[str | None]) -> Iterator[tuple[tuple[str, ...], str]]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        keys = (f"{place}[{index}].{key}", f"{place}[{index}]")
        if name is None:
            yield keys, "is missing"
        elif name in seen:
            yield keys, f"stands here again: {name}"
        seen.add(name or "")


def _variant_broken(place: str, variant: VariantText) -> Iterator[tuple[tuple[str, ...], str]]:
    if variant.quality is not None:
        yield from _missing(f"{place}.quality", variant.quality, _QUALITY)
    for index, each in enumerate(variant.published):
        yield from _missing(f"{place}.published[{index}]", each, _PUBLISHED)


def _missing(
    place: str, section: msgspec.Struct, keys: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str]]:
    for key in keys:
        if getattr(section, key) is None:
            yield (f"{place}.{key}", place), "is missing"


def _named(where: str, tree: Tree) -> str:
    """A place in the file in words: numbers of families and variants become their names."""
    found = re.fullmatch(r"families\[(\d+)\](?:\.variants\[(\d+)\])?\.?(.*)", where)
    if found is None:
        return where
    family = _item(tree, "families", int(found[1]))
    words = [f"family {_label(family, 'id', found[1])}"]
    if found[2] is not None:
        variant = _item(family, "variants", int(found[2]))
        words.append(f"variant {_label(variant, 'file', found[2])}")
    return ", ".join([*words, found[3]] if found[3] else words)


def _item(tree: Tree | None, key: str, index: int) -> Tree | None:
    listed = _value(tree, key)
    items = listed.items if isinstance(listed, Sequence) else ()
    return items[index] if index < len(items) else None


def _value(tree: Tree | None, key: str) -> Tree | None:
    entries = tree.entries if isinstance(tree, Mapping) else ()
    return next((entry.value for entry in entries if entry.key == key), None)


def _label(tree: Tree | None, key: str, number: str) -> str:
    """What an item calls itself, or its number in the list, from 1."""
    value = _value(tree, key)
    said = value.value if isinstance(value, Scalar) else None
    return ascii(said)[1:-1][:MAX_LABEL] if isinstance(said, str) else f"{int(number) + 1}"
