"""Everything an owner may set: frozen values with their units, ranges and defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from collections.abc import Iterable

Text = Annotated[str, Meta(min_length=1, max_length=256)]
Path = Annotated[str, Meta(min_length=1, max_length=4096)]  # PATH_MAX of Linux
Count = Annotated[int, Meta(ge=1, le=10_000)]
Pin = Annotated[int, Meta(ge=0, le=27)]  # of the header with 40 pins
# Below 30 a warm room is hotter, and at 110 the kernel switches a Pi 5 off.
Celsius = Annotated[float, Meta(ge=30, le=110)]
Url = Annotated[str, Meta(min_length=1, max_length=1024)]
# What is said to the model; no message may quote it, for it tells how people live.
Prose = Annotated[str, Meta(min_length=1, max_length=32_768, extra={"private": True})]


class TlsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Encryption to the broker; naming the section turns it on.

    Attributes:
        ca_file: Certificates to trust, PEM; None trusts those of the system.
        cert_file: Our own certificate, PEM; needs `key_file`.
        key_file: The key of `cert_file`, PEM.
        insecure: True accepts any certificate, so anyone can play broker: for tests only.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    insecure: bool = False


class MqttConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The broker and how to speak with it.

    Attributes:
        host: Name or address of the broker.
        port: TCP port, 1 to 65535; 1883 is plain, 8883 usual with TLS.
        protocol: MQTT version, 5 or 311 (for 3.1.1).
        username: None connects without one.
        password_file: A file whose first line is the password.
        client_id: None means `edged-<node>`; two clients of one id throw each other out.
        keepalive_s: Seconds, 5 to 3600; a dead line is seen after 1.5 times that.
        session_expiry_s: Seconds the broker keeps requests for us while we are away.
        connect_timeout_s: Seconds, 1 to 120, for TCP, TLS and the broker's answer.
        reconnect_max_s: Seconds, 1 to 3600, the longest wait between two attempts.
        reply_prefixes: Topics a request may name for its reply start with one of these.
        reply_expiry_s: Seconds a broker keeps a reply for its client.
        tls: None speaks in the clear.
    """

    host: Text = "localhost"
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    protocol: Literal[5, 311] = 5
    username: Text | None = None
    password_file: Path | None = None
    client_id: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    keepalive_s: Annotated[int, Meta(ge=5, le=3600)] = 30
    session_expiry_s: Annotated[int, Meta(ge=0, le=604_800)] = 3600
    connect_timeout_s: Annotated[float, Meta(ge=1, le=120)] = 10
    reconnect_max_s: Annotated[float, Meta(ge=1, le=3600)] = 60
    reply_prefixes: Annotated[tuple[Text, ...], Meta(max_length=16)] = ()
    reply_expiry_s: Annotated[int, Meta(ge=1, le=604_800)] = 86_400
    tls: TlsConfig | None = None


class DownloadConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How model files are had.

    Attributes:
        enabled: False takes only what is on the disk.
        endpoint: The hub; None is $HF_ENDPOINT or https://huggingface.co.
        mirrors: Other hubs, tried in turn when the endpoint fails; at most 8.
        token_file: A file whose first line is the token for gated repositories.
        rate_mib_s: MiB per second, 0 to 10000; 0 is no cap.
        quiet_hours: `HH:MM-HH:MM`, local time, in which nothing is downloaded; None: no such hours.
        evict: Files that edged fetched and does not use may be removed when room is needed.
    """

    enabled: bool = True
    endpoint: Url | None = None
    mirrors: Annotated[tuple[Url, ...], Meta(max_length=8)] = ()
    token_file: Path | None = None
    rate_mib_s: Annotated[float, Meta(ge=0, le=10_000)] = 0
    quiet_hours: Text | None = None
    evict: bool = False


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The model file.

    Attributes:
        path: A GGUF file; None chooses among the models directory and the packaged one.
        directory: Where model files are; None is `models` in the state directory.
        catalogue_dir: Catalogue files of one's own, `*.yaml`; None is /etc/edged/catalog.d.
        calibrate: Time made-up models for a minute, once for a board, to predict speeds of files.
        families: Ids of families that come before all others, in that order.
        memory_mib: MiB that a model may take at most; 0 is as much as there is.
        reserve_mib: MiB left for the rest of the house, 0 to 1048576; None is a sixteenth of the
            memory, 256 to 1024.
        context: Tokens of prompt and answer together, 256 to 131072 (each costs KV memory).
        name: What replies call the variant; None is the file's name without its ending.
        download: How model files are had.
    """

    path: Path | None = None
    directory: Path | None = None
    catalogue_dir: Path | None = None
    calibrate: bool = True
    families: Annotated[tuple[Text, ...], Meta(max_length=64)] = ()
    memory_mib: Annotated[int, Meta(ge=0, le=1_048_576)] = 0
    reserve_mib: Annotated[int, Meta(ge=0, le=1_048_576)] | None = None
    context: Annotated[int, Meta(ge=256, le=131_072)] = 2048
    name: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    download: DownloadConfig = DownloadConfig()


class EngineConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The child process that computes.

    Attributes:
        threads: Of decode; 0 takes the physical cores, at most 4.
        threads_batch: Of prefill; 0 takes as many as `threads`.
        prefill_chunk: Tokens read at a time, 16 to 2048; cancel takes effect between chunks.
        streams: Answers computed side by side; 0 is as many as keep `target_tps` each, measured.
        target_tps: Tokens per second that each stream should have, 0 to 1000.
        prefill_share: How much of their rate running streams give while a new prompt is read.
        kv_type: Of the cached keys and values; q8_0 takes about half the memory of f16. `auto`
            takes q8_0 where f16 has no room, and where it was faster on this board.
        flash_attention: `auto` uses it, but for f16 where it was slower on this board behind a
            long context and there is memory to do without.
        repack: Weights are rearranged for this CPU where that is possible, in anonymous memory;
            `auto` takes what was faster on this board, and `on` until it is measured.
        prefix_cache_mib: MiB of memory, besides the context, for beginnings of prompts that are
            kept; with 0 they stay in the context while it has room.
        cache_dir: Where they are saved; None is $CACHE_DIRECTORY or ~/.cache/edged.
        disk_cache_mib: MiB they may take there; 0 saves none.
        load_timeout_s: Seconds, 1 to 3600, until the model must answer.
        stall_timeout_s: Seconds, 1 to 600, without a token before the child is killed.
        command: What to start instead of the worker, in tests.
    """

    threads: Annotated[int, Meta(ge=0, le=64)] = 0
    threads_batch: Annotated[int, Meta(ge=0, le=64)] = 0
    prefill_chunk: Annotated[int, Meta(ge=16, le=2048)] = 512
    streams: Annotated[int, Meta(ge=0, le=16)] = 0
    target_tps: Annotated[float, Meta(ge=0, le=1000)] = 8
    prefill_share: Annotated[float, Meta(ge=0.05, le=0.95)] = 0.5
    kv_type: Literal["auto", "f16", "q8_0"] = "auto"
    flash_attention: Literal["auto", "on", "off"] = "auto"
    repack: Literal["auto", "on", "off"] = "auto"
    prefix_cache_mib: Annotated[int, Meta(ge=0, le=65_536)] = 256
    cache_dir: Path | None = None
    disk_cache_mib: Annotated[int, Meta(ge=0, le=1_048_576)] = 1024
    load_timeout_s: Annotated[float, Meta(ge=1, le=3600)] = 300
    stall_timeout_s: Annotated[float, Meta(ge=1, le=600)] = 60
    command: Annotated[tuple[Path, ...], Meta(min_length=1, max_length=64)] | None = None


class ServingConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What is accepted and kept.

    Attributes:
        capacity: Requests waiting at once, 1 to 10000.
        per_client: Requests waiting of one client, at most `capacity`; None: three quarters.
        max_tokens: Tokens of an answer when the request does not say.
        max_tokens_limit: The most tokens a request may ask for.
        duplicate_window_s: Seconds in which an id repeated gets the same reply.
        drain_s: Seconds, 0 to 600, for the running answer when told to stop; keep it under
            TimeoutStopSec= of the unit.
        state_dir: Where the ledger lives; None is $STATE_DIRECTORY or ~/.local/state/edged.
    """

    capacity: Count = 64
    per_client: Count | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=131_072)] = 256
    max_tokens_limit: Annotated[int, Meta(ge=1, le=131_072)] = 4096
    duplicate_window_s: Annotated[float, Meta(ge=0, le=86_400)] = 600
    drain_s: Annotated[float, Meta(ge=0, le=600)] = 20
    state_dir: Path | None = None

    @property
    def client_share(self) -> int:
        """Requests waiting of one client; the rest of the capacity is for the others."""
        return self.per_client or max(1, self.capacity * 3 // 4)


class SessionsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of conversations, in memory alone.

    Attributes:
        capacity: Conversations kept at once, 1 to 1024.
        max_tokens: Tokens of earlier turns before a prompt, 64 to 131072, below the context; None:
            half of it.
        max_age_s: Seconds, 1 to 604800, after which an unused one is forgotten.
    """

    capacity: Annotated[int, Meta(ge=1, le=1024)] = 32
    max_tokens: Annotated[int, Meta(ge=64, le=131_072)] | None = None
    max_age_s: Annotated[float, Meta(ge=1, le=604_800)] = 3600


class TelemetryConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What edged says about itself.

    Attributes:
        log_level: The least severe line written: debug, info, warning or error.
        state_interval_s: Seconds between states while answering, 0.1 to 3600.
        idle_interval_s: Seconds between states while idle, 1 to 3600.
    """

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    state_interval_s: Annotated[float, Meta(ge=0.1, le=3600)] = 1
    idle_interval_s: Annotated[float, Meta(ge=1, le=3600)] = 60


class PanelConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Parts wired to the header of a Raspberry Pi, by BCM number, 0 to 27; None: not there.

    Attributes:
        led_pin: A status LED, lit by 3.3 V.
        button_pin: A button that connects to ground; a press pauses or resumes.
        fan_pin: A fan's PWM input or switch, for boards whose firmware drives none.
    """

    led_pin: Pin | None = None
    button_pin: Pin | None = None
    fan_pin: Pin | None = None


class ThermalConfig(msgspec.Struct, frozen=True, kw_only=True):
    """When heat slows edged; degrees C of the processor, ascending.

    Attributes:
        enabled: False leaves it to the firmware, which throttles from 80 C.
        passive_c: From here on the pace looks a minute ahead.
        hot_c: The pace keeps the board below it; background requests are refused, at most 80.
        critical_c: No request is accepted; halfway there only urgent ones are; at most 85.
        hysteresis_c: So far below each of them what it did is undone, 0.5 to 20.
    """

    enabled: bool = True
    passive_c: Celsius = 70
    hot_c: Celsius = 78
    critical_c: Celsius = 83
    hysteresis_c: Annotated[float, Meta(ge=0.5, le=20)] = 3


class DiscoveryConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How edged makes itself known to Home Assistant.

    Attributes:
        mode: `device` announces one device on one topic, `component` each entity on its own,
            `both` does both, `off` nothing.
        prefix: Home Assistant's discovery prefix; it says there, too, that it has started.
    """

    mode: Literal["device", "component", "both", "off"] = "device"
    prefix: Annotated[str, Meta(min_length=1, max_length=128)] = "homeassistant"


class FleetConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Several machines that share one queue.

    Attributes:
        enabled: Also answer what is asked on edged/any/request, while there is room and cool air.
    """

    enabled: bool = False


class TurnConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange that shows the model how to answer."""

    user: Prose = ""
    assistant: Prose = ""


class FieldConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a topic said last, as a word in a persona's text; `name` and `topic` must be given.

    Attributes:
        name: `[a-z0-9_-]{1,32}`, unique in its persona; `{{ name }}` stands for it.
        topic: One topic, no filter; several fields may share it.
        path: Keys with dots between, to the value in a JSON payload; None takes the payload.
        default: What is said without a value, at most 256 characters.
        unit: Said behind a value, at most 16 characters.
        max_chars: Longer values are cut, 1 to 2000.
        max_age_s: Seconds, up to a week, for which a value is good; None: until there is another.
    """

    name: Text = ""
    topic: Text = ""
    path: Text | None = None
    default: Annotated[str, Meta(max_length=256)] = "unknown"
    unit: Annotated[str, Meta(max_length=16)] = ""
    max_chars: Annotated[int, Meta(ge=1, le=2000)] = 200
    max_age_s: Annotated[float, Meta(ge=1, le=604_800)] | None = None


class PersonaConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A beginning of prompts that is read once and kept; `name` and `system` must be given.

    Attributes:
        name: `[a-z0-9_-]{1,32}`, unique.
        system: The system prompt, 1 to 32768 characters; from the first paragraph with a
            `{{ name }}` on it is filled in and put last, before what is asked.
        turns: Exchanges that follow it, at most 32.
        fields: What can be filled in, at most 32.
    """

    name: Text = ""
    system: Prose = ""
    turns: Annotated[tuple[TurnConfig, ...], Meta(max_length=32)] = ()
    fields: Annotated[tuple[FieldConfig, ...], Meta(max_length=32)] = ()


def field_topics(personas: Iterable[PersonaConfig]) -> frozenset[str]:
    """The topics that the fields of personas read."""
    return frozenset(field.topic for persona in personas for field in persona.fields)


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an owner may set; `Config()` has all defaults.

    Attributes:
        node: This machine's level in every topic, `[a-z0-9_-]{1,32}`.
        mqtt: The broker.
        model: The model file.
        engine: The child process.
        serving: Limits of what is accepted.
        sessions: Limits of conversations.
        telemetry: Log and states.
        panel: Parts on the board's pins.
        thermal: Trip points.
        discovery: Home Assistant.
        fleet: Requests that any machine may answer.
        personas: Beginnings of prompts that are read ahead, at most 32.
    """

    node: str = "edged"
    mqtt: MqttConfig = MqttConfig()
    model: ModelConfig = ModelConfig()
    engine: EngineConfig = EngineConfig()
    serving: ServingConfig = ServingConfig()
    sessions: SessionsConfig = SessionsConfig()
    telemetry: TelemetryConfig = TelemetryConfig()
    panel: PanelConfig = PanelConfig()
    thermal: ThermalConfig = ThermalConfig()
    discovery: DiscoveryConfig = DiscoveryConfig()
    fleet: FleetConfig = FleetConfig()
    personas: Annotated[tuple[PersonaConfig, ...], Meta(max_length=32)] = ()
