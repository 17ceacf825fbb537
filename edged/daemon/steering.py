"""What an owner may tell a running edged: each verb of `command/<verb>`, done and answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from edged.daemon import commands
from edged.engine.lifecycle import State as EngineState
from edged.mqtt.packet import Outgoing
from edged.serving import events

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.daemon.prefixes import PrefixKeeper
    from edged.daemon.selection import Selection
    from edged.engine.supervisor import Supervisor
    from edged.mqtt.session import Session
    from edged.mqtt.topics import Topics
    from edged.serving.dispatcher import Dispatcher
    from edged.serving.effects import Effect


class Steering:
    """Does what a verb says and publishes its result.

    Args:
        announce: Publishes everything that is retained.
        dispatcher: Is paused and resumed.
        engine: To forgive a child that was given up; None where no model could be loaded.
        session: For results.
        topics: The topic tree.
        prefixes: Forgets, too; None where no model could be loaded.
        selection: Chooses the model; None where the owner did.
    """

    def __init__(  # noqa: PLR0913 - the composition root hands over every room
        self,
        *,
        announce: Callable[[float], None],
        dispatcher: Dispatcher,
        engine: Supervisor | None,
        session: Session,
        topics: Topics,
        prefixes: PrefixKeeper | None,
        selection: Selection | None,
    ) -> None:
        self._announce = announce
        self._dispatcher = dispatcher
        self._engine = engine
        self._session = session
        self._topics = topics
        self._prefixes = prefixes
        self._selection = selection

    def command(self, verb: str, payload: bytes, now: float) -> list[Effect]:
        """Do it; the effects that the dispatcher asks for.

        Args:
            verb: The topic level after `command/`.
            payload: Of the message.
            now: Monotonic seconds.
        """
        effects: list[Effect] = []
        result = commands.run(verb, payload, self._actions(effects, now))
        topic = self._topics.result(verb)
        self._session.publish(Outgoing(topic=topic, payload=msgspec.json.encode(result), qos=1))
        return effects

    def accept(self, now: float, *, on: bool) -> list[Effect]:
        """Pause or resume; resuming also forgives a child that was given up."""
        effects = self._dispatcher.on(events.PauseSet(paused=not on), now)
        if on:
            self._rearm()
        return effects

    def _actions(self, effects: list[Effect], now: float) -> dict[str, commands.Action]:
        def accept(*, on: bool) -> None:
            effects.extend(self.accept(now, on=on))

        def forget(text: str) -> int:
            id_ = commands.session(text)
            count = self._dispatcher.sessions(id_)
            effects.extend(self._dispatcher.on(events.ForgetAsked(id=id_), now))
            if id_ is None and self._prefixes is not None:
                self._prefixes.forget(now)
            return count

        actions: dict[str, commands.Action] = {
            "accept": lambda text: accept(on=commands.switched_on(text)),
            "announce": lambda _: self._announce(now),
            "forget": forget,
            "pause": lambda _: accept(on=False),
            "resume": lambda _: accept(on=True),
        }
        if (selection := self._selection) is not None:
            actions["benchmark"] = lambda _: selection.time_again()
            actions["select"] = selection.pin
            actions["target"] = lambda text: selection.retarget(commands.tokens_per_second(text))
        return actions

    def _rearm(self) -> None:
        if self._engine is not None and self._engine.state is EngineState.FATAL:
            self._engine.rearm()
