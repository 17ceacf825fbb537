"""The bill of materials as SPDX 2.3 writes it, of what was read elsewhere."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HOME = "https://edged.example/spdx"  # names the document, for nobody to visit
DOCUMENT = "SPDXRef-DOCUMENT"
NONE = "NOASSERTION"  # SPDX's word for what is not told
POCKET = "edged/data/pocket.gguf"
# Whose files are whose in debian/copyright.
OWN, BINDING, ENGINE = "*", "debian/made/llama/llama_cpp/*", "debian/made/llama/lib/*"


class Deb(NamedTuple):
    """What a built package says of itself.

    Attributes:
        file: Its name.
        sha256: Of the file.
        architecture: Debian's name.
        depends: The field of that name.
    """

    file: str
    sha256: str
    architecture: str
    depends: str


class Rights(NamedTuple):
    """One paragraph of debian/copyright: a licence as SPDX calls it, and who has the rights."""

    licence: str
    holders: str


class Sources(NamedTuple):
    """What the tree says.

    Attributes:
        version: Of edged.
        created: Seconds since 1970.
        rights: By the Files field of debian/copyright.
        pins: The variables of scripts/llama.mk.
        pocket: SHA-256 of the pocket model.
    """

    version: str
    created: int
    rights: dict[str, Rights]
    pins: dict[str, str]
    pocket: str


def dependencies(depends: str) -> list[str]:
    """The names in a Depends field; of alternatives the first."""
    return sorted(set(re.findall(r"(?:^|,)\s*([a-z0-9][a-z0-9+.-]+)", depends)))


def document(sources: Sources, debs: Sequence[Deb]) -> dict[str, Any]:
    """The bill of materials of these packages, which are builds of one version."""
    names = sorted({name for deb in debs for name in dependencies(deb.depends)})
    body = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": DOCUMENT,
        "name": f"edged-{sources.version}",
        "creationInfo": {
            "created": datetime.fromtimestamp(sources.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": ["Organization: The edged maintainers", f"Tool: sbom-{sources.version}"],
        },
        "packages": [
            *(_built(sources, deb) for deb in debs),
            *_vendored(sources),
            *(
                _package(name, "of Debian; its copyright file there has the licence")
                for name in names
            ),
        ],
        "relationships": list(_relations(debs)),
    }
    # one name for one content, as the standard asks
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    return {**body, "documentNamespace": f"{HOME}/edged-{sources.version}-{digest}"}


def _built(sources: Sources, deb: Deb) -> dict[str, Any]:
    return _package(
        f"edged-{deb.architecture}",
        "",
        name="edged",
        versionInfo=sources.version,
        packageFileName=deb.file,
        primaryPackagePurpose="INSTALL",
        **_checked(deb.sha256),
        **_licensed(sources.rights[OWN]),
    )


def _vendored(sources: Sources) -> Iterator[dict[str, Any]]:
    version, commit = sources.pins["LLAMA_VERSION"], sources.pins["LLAMA_CPP_COMMIT"]
    yield _package(
        "llama-cpp-python",
        "its ctypes layer; the checksum is that of the source distribution",
        versionInfo=version,
        primaryPackagePurpose="LIBRARY",
        **_checked(sources.pins["LLAMA_SHA256"]),
        **_licensed(sources.rights[BINDING]),
        **_known(f"pkg:pypi/llama-cpp-python@{version}"),
    )
    yield _package(
        "llama.cpp",
        f"built from the source distribution of llama-cpp-python {version}, whose checksum holds",
        versionInfo=commit,
        downloadLocation=f"git+https://github.com/ggml-org/llama.cpp@{commit}",
        primaryPackagePurpose="LIBRARY",
        **_licensed(sources.rights[ENGINE]),
        **_known(f"pkg:github/ggml-org/llama.cpp@{commit}"),
    )
    yield _package(
        "pocket-model",
        "a language model of our own, trained by bench/pocket on text that it makes",
        versionInfo=sources.version,
        packageFileName=POCKET,
        primaryPackagePurpose="FILE",
        **_checked(sources.pocket),
        **_licensed(sources.rights[OWN]),
    )


def _package(key: str, comment: str, **fields: Any) -> dict[str, Any]:
    unknown = {"licenseConcluded": NONE, "licenseDeclared": NONE, "copyrightText": NONE}
    head = {"SPDXID": _id(key), "name": key, "downloadLocation": NONE, "filesAnalyzed": False}
    return {**head, **unknown, **({"comment": comment} if comment else {}), **fields}


def _relations(debs: Sequence[Deb]) -> Iterator[dict[str, str]]:
    for deb in debs:
        built = _id(f"edged-{deb.architecture}")
        yield _relation(DOCUMENT, "DESCRIBES", built)
        for part in ("llama-cpp-python", "llama.cpp", "pocket-model"):
            yield _relation(built, "CONTAINS", _id(part))
        for name in dependencies(deb.depends):
            yield _relation(built, "DEPENDS_ON", _id(name))


def _relation(element: str, kind: str, related: str) -> dict[str, str]:
    return {"spdxElementId": element, "relationshipType": kind, "relatedSpdxElement": related}


def _id(key: str) -> str:
    # a + has no place in an id: libstdc++6
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", key)


def _checked(sha256: str) -> dict[str, Any]:
    return {"checksums": [{"algorithm": "SHA256", "checksumValue": sha256}]}


def _licensed(one: Rights) -> dict[str, str]:
    return {
        "licenseConcluded": one.licence,
        "licenseDeclared": one.licence,
        "copyrightText": one.holders,
    }


def _known(purl: str) -> dict[str, Any]:
    reference = {
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": purl,
    }
    return {"externalRefs": [reference]}
