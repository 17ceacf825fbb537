"""Rooms made from the configuration, for the composition root."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.daemon.heat import Heat
from edged.daemon.prefixes import PrefixKeeper, persona_of
from edged.engine.life import Timeouts
from edged.engine.statestore import StateStore
from edged.engine.supervisor import WORKER, Supervisor
from edged.engine.supervisor import Settings as EngineSettings
from edged.mqtt.topics import Topics
from edged.serving.conversations import Bounds
from edged.serving.message import Rules
from edged.serving.request import Message
from edged.serving.state import Settings
from edged.settings import field_topics
from edged.thermal.senses import Sensors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edged.clock import Clock
    from edged.daemon.model import Model
    from edged.daemon.notes import Notes
    from edged.serving.dispatcher import Dispatcher
    from edged.settings import Config, PersonaConfig, SessionsConfig
    from edged.telemetry.meter import Meter

    Post = Callable[[object], None]

MIB = 1 << 20


def serving_settings(config: Config) -> Settings:
    """How much the dispatcher takes on."""
    serving = config.serving
    return Settings(
        capacity=serving.capacity,
        per_client=serving.client_share,
        duplicate_window_s=serving.duplicate_window_s,
        sessions=bounds(config.sessions),
        unheard=frozenset(persona.name for persona in config.personas if persona.fields),
    )


def bounds(sessions: SessionsConfig) -> Bounds:
    """How much is kept of conversations."""
    return Bounds(
        capacity=sessions.capacity, max_tokens=sessions.max_tokens, max_age_s=sessions.max_age_s
    )


def topics(config: Config) -> Topics:
    """The topic tree."""
    return Topics(
        config.node,
        config.mqtt.reply_prefixes,
        fleet=config.fleet.enabled,
        house=None if config.discovery.mode == "off" else config.discovery.prefix,
        facts=field_topics(config.personas),
    )


def rules(config: Config, topics: Topics) -> Rules:
    """Limits for requests."""
    serving = config.serving
    return Rules(
        max_tokens=serving.max_tokens,
        max_tokens_limit=serving.max_tokens_limit,
        may_reply_to=topics.may_reply_to,
        personas={persona.name: _lead(persona) for persona in config.personas},
    )


def _lead(persona: PersonaConfig) -> tuple[Message, ...]:
    """What the child has read of it, word for word, so that nothing is read again."""
    turns = persona_of(persona).messages
    return tuple(Message(role=turn.role, content=turn.content) for turn in turns)


def supervisor(
    config: Config, model: Model | None, post: Post, clock: Clock, notes: Notes
) -> Supervisor | None:
    """What keeps the child; None without a model to load."""
    if model is None:
        return None
    engine = config.engine
    settings = EngineSettings(
        argv=engine.command or WORKER,
        timeouts=Timeouts(load_s=engine.load_timeout_s, stall_s=engine.stall_timeout_s),
    )
    return Supervisor(model.load, post, clock, settings, notes.engine_says)


def prefix_keeper(  # noqa: PLR0913 - as the room itself
    config: Config,
    model: Model | None,
    engine: Supervisor | None,
    *,
    folder: Path,
    clock: Clock,
    notes: Notes,
    post: Post,
) -> PrefixKeeper | None:
    """What keeps prefixes, under `folder`; None without a model to read them with."""
    if model is None or engine is None:
        return None
    return PrefixKeeper(
        personas=config.personas,
        model=(model.path, model.fingerprint),
        engine=engine,
        store=StateStore(folder, config.engine.disk_cache_mib * MIB, clock.wall),
        clock=clock,
        notes=notes,
        post=post,
    )


def heat(  # noqa: PLR0913 - as the room itself
    config: Config,
    root: Path,
    target: Callable[[], float],
    *,
    engine: Supervisor | None,
    dispatcher: Dispatcher,
    meter: Meter,
    notes: Notes,
    post: Post,
) -> Heat:
    """What keeps the board cool, by the sensors under `root`."""
    return Heat(
        look=Sensors(root).look,
        settings=config.thermal,
        idle_s=config.telemetry.idle_interval_s,
        target=target,
        engine=engine,
        dispatcher=dispatcher,
        meter=meter,
        notes=notes,
        post=post,
    )
