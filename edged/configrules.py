"""The rules of the configuration that the type of one field cannot say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from edged import personarules
from edged.settings import TlsConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edged.personarules import Broken
    from edged.settings import (
        Config,
        DownloadConfig,
        EngineConfig,
        MqttConfig,
        PanelConfig,
        ServingConfig,
        ThermalConfig,
    )

MAX_PREFIX_BYTES = 192  # leaves 64 of the 256 bytes of a reply topic to the client
MAX_PREFIX_LEVELS = 7  # a reply topic has at most 8
FLEET_NODE = "any"  # edged/any/request is the whole fleet's topic

_NODE = re.compile(r"[a-z0-9_-]{1,32}")
_HOST = re.compile(r"[A-Za-z0-9._:%-]+")  # name, IPv4, or IPv6 with a zone
# scheme, host, port and folders; a user, a query or a fragment has no place in an endpoint
_ENDPOINT = re.compile(r"https?://[A-Za-z0-9._:%\[\]-]+(?:/[A-Za-z0-9._~/-]*)?")
_HOURS = re.compile(r"((?:[01]\d|2[0-3]):[0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII)
_MQTT_311 = 311
# A Pi's firmware cuts the clock from the first on, and harder from the second; both may be lowered
# in its configuration and never raised.
FIRMWARE_C, FIRMWARE_HARD_C = 80.0, 85.0


def rules(config: Config) -> Iterator[Broken]:
    """Each rule that `config` breaks: the keys it is about, the one to mend first, and why."""
    yield from _node(config.node)
    yield from _texts(config)
    yield from _mqtt(config.mqtt)
    yield from _prefixes(config.mqtt.reply_prefixes, config.node, config.discovery.prefix)
    yield from _discovery(config.discovery.prefix)
    if config.fleet.enabled and config.mqtt.protocol == _MQTT_311:
        # such a broker may take the filter for an ordinary topic, and give nothing, silently
        yield ("fleet.enabled", "mqtt.protocol"), "needs mqtt.protocol 5, which has shared requests"
    yield from _download(config.model.download)
    yield from _engine(config.engine)
    yield from _serving(config.serving)
    yield from _sessions(config)
    yield from _panel(config.panel)
    yield from _thermal(config.thermal)
    yield from personarules.rules(config)


def _node(node: str) -> Iterator[Broken]:
    if not _NODE.fullmatch(node):
        yield ("node",), "must be 1 to 32 of the characters a-z 0-9 _ -"
    elif node == FLEET_NODE:
        yield ("node",), f"{FLEET_NODE} means the whole fleet, so no machine can have that name"


def _texts(config: Config) -> Iterator[Broken]:
    tls = config.mqtt.tls or TlsConfig()
    paths = {
        "mqtt.password_file": config.mqtt.password_file,
        "mqtt.tls.ca_file": tls.ca_file,
        "mqtt.tls.cert_file": tls.cert_file,
        "mqtt.tls.key_file": tls.key_file,
        "model.path": config.model.path,
        "model.directory": config.model.directory,
        "model.download.token_file": config.model.download.token_file,
        "model.catalogue_dir": config.model.catalogue_dir,
        "engine.cache_dir": config.engine.cache_dir,
        "serving.state_dir": config.serving.state_dir,
    }
    # a service starts in no folder of its owner's, so a relative path would mean another file
    yield from _each(paths, lambda text: text.startswith("/"), "must be an absolute path")
    names = {
        "mqtt.username": config.mqtt.username,
        "mqtt.client_id": config.mqtt.client_id,
        "model.name": config.model.name,
        "engine.command": "".join(config.engine.command or ()),
    }
    yield from _each(paths | names, str.isprintable, "must be printable text")


def _each(
    texts: dict[str, str | None], good: Callable[[str], bool], message: str
) -> Iterator[Broken]:
    return (((where,), message) for where, text in texts.items() if text and not good(text))


def _mqtt(mqtt: MqttConfig) -> Iterator[Broken]:
    if not _HOST.fullmatch(mqtt.host):
        # not quoted back: a URL may hold a password
        yield ("mqtt.host",), "must be a bare name or address, without scheme, user or port"
    if mqtt.password_file and mqtt.username is None and mqtt.protocol == _MQTT_311:
        keys = ("mqtt.username", "mqtt.password_file", "mqtt.protocol")
        yield keys, "MQTT 3.1.1 has no password without a username"
    tls = mqtt.tls
    if tls is not None and bool(tls.cert_file) != bool(tls.key_file):
        pair = ("mqtt.tls.key_file", "mqtt.tls.cert_file")
        yield pair if tls.cert_file else pair[::-1], "a certificate and its key come together"


def _prefixes(prefixes: tuple[str, ...], node: str, house: str) -> Iterator[Broken]:
    for index, prefix in enumerate(prefixes):
        fault = _prefix_fault(prefix, node)
        if fault is not None:
            yield ("mqtt.reply_prefixes", "node"), f"item {index} {fault}"
        elif prefix.startswith(f"{house}/"):
            keys = ("mqtt.reply_prefixes", "discovery.prefix")
            yield keys, f"item {index} must not start with discovery.prefix, where devices are made"


def _discovery(prefix: str) -> Iterator[Broken]:
    levels = prefix.split("/")
    faults = {
        "must be printable text": not prefix.isprintable(),
        "must not hold + or #": "+" in prefix or "#" in prefix,
        "must not start with $": prefix.startswith("$"),
        "must not have empty levels, so no / at its ends either": "" in levels,
        "must not be in edged/, which is our own": levels[0] == "edged",
    }
    fault = next((fault for fault, found in faults.items() if found), None)
    if fault is not None:
        yield ("discovery.prefix",), fault


def _prefix_fault(prefix: str, node: str) -> str | None:
    """Why replies may not go under `prefix`: they could steer others, or come back to us."""
    levels = prefix.split("/")
    own = ["edged", node, "reply"]
    faults = {
        "must be printable text": not prefix.isprintable(),
        "must end with /": not prefix.endswith("/"),
        "must not hold + or #": "+" in prefix or "#" in prefix,
        "must not start with $": prefix.startswith("$"),
        "must not start with homeassistant/, where devices are made": levels[0] == "homeassistant",
        f"may be in edged/ only as {'/'.join(own)}/": levels[0] == "edged" and levels[:3] != own,
        "must not have empty levels": "" in levels[:-1],
        f"is over {MAX_PREFIX_LEVELS} levels": len(levels) > MAX_PREFIX_LEVELS + 1,
        # lone surrogates, already refused above, must not stop the count
        f"is over {MAX_PREFIX_BYTES} bytes": len(prefix.encode(errors="replace"))
        > MAX_PREFIX_BYTES,
    }
    return next((fault for fault, found in faults.items() if found), None)


def _download(download: DownloadConfig) -> Iterator[Broken]:
    # not quoted back: a URL may hold a password
    wanted = "must be http:// or https:// with a host, and without user, query or fragment"
    if download.endpoint is not None and not _ENDPOINT.fullmatch(download.endpoint):
        yield ("model.download.endpoint",), wanted
    for index, mirror in enumerate(download.mirrors):
        if not _ENDPOINT.fullmatch(mirror):
            yield ("model.download.mirrors",), f"item {index} {wanted}"
    if download.quiet_hours is not None:
        found = _HOURS.fullmatch(download.quiet_hours)
        if found is None:
            yield ("model.download.quiet_hours",), 'must be "HH:MM-HH:MM", such as "18:00-23:30"'
        elif found[1] == found[2]:
            yield ("model.download.quiet_hours",), "must begin and end at different times"


def _engine(engine: EngineConfig) -> Iterator[Broken]:
    if engine.kv_type == "q8_0" and engine.flash_attention == "off":
        keys = ("engine.flash_attention", "engine.kv_type")
        yield keys, "must be auto or on with kv_type q8_0, whose values need it"


def _serving(serving: ServingConfig) -> Iterator[Broken]:
    if serving.client_share > serving.capacity:
        keys = ("serving.per_client", "serving.capacity")
        yield keys, f"is {serving.client_share}, above capacity {serving.capacity}"
    if serving.max_tokens > serving.max_tokens_limit:
        keys = ("serving.max_tokens", "serving.max_tokens_limit")
        yield keys, f"is {serving.max_tokens}, above max_tokens_limit {serving.max_tokens_limit}"


def _sessions(config: Config) -> Iterator[Broken]:
    most, context = config.sessions.max_tokens, config.model.context
    if most is not None and most >= context:
        keys = ("sessions.max_tokens", "model.context")
        yield keys, f"is {most}, not below model.context {context}"


def _panel(panel: PanelConfig) -> Iterator[Broken]:
    taken: dict[int, str] = {}
    for key in panel.__struct_fields__:
        pin = getattr(panel, key)
        first = key if pin is None else taken.setdefault(pin, key)
        if first != key:
            yield (f"panel.{key}", f"panel.{first}"), f"is {pin}, which {first} has already"


def _thermal(thermal: ThermalConfig) -> Iterator[Broken]:
    passive, hot, critical = ("thermal.passive_c", "thermal.hot_c", "thermal.critical_c")
    if thermal.hot_c > FIRMWARE_C:
        reason = f"the firmware throttles from {FIRMWARE_C:g} C, whatever is set here"
        yield (hot,), f"is {thermal.hot_c:g}, and {reason}"
    if thermal.critical_c > FIRMWARE_HARD_C:
        reason = f"the firmware throttles hard from {FIRMWARE_HARD_C:g} C"
        yield (critical,), f"is {thermal.critical_c:g}, and {reason}"
    if thermal.passive_c >= thermal.hot_c:
        message = f"is {thermal.hot_c:g}, not above passive_c {thermal.passive_c:g}"
        yield (hot, passive), message
    if thermal.hot_c >= thermal.critical_c:
        message = f"is {thermal.critical_c:g}, not above hot_c {thermal.hot_c:g}"
        yield (critical, hot), message
