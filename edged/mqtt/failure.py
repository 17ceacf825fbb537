"""Why there is no connection, and how long to wait before the next try."""

from __future__ import annotations

from msgspec import Struct

# Full jitter over 1.5^n seconds (the figure of aiomqtt): a house full of clients does not
# come back in one moment after a power cut.
GROWTH = 1.5
MAX_EXPONENT = 40  # 1.5^40 s is 128 days: above every cap, below every overflow
# A refusal needs a human, so trying sooner only fills the broker's log.
REFUSAL_MIN_S = 30.0
REFUSAL_SPREAD_S = 30.0
# A port that refuses costs three packets and opens again as soon as the broker is back:
# with this cap we are online within 10 s of that.
CLOSED_PORT_CAP_S = 8.0
CLOSED_PORT = "connection_refused"

FAILURE_FROM = 128  # MQTT 5 reason codes from here on are failures
# Reason codes that pass without a human: unspecified, implementation specific, unavailable,
# busy, shutting down, keep alive timeout, receive maximum exceeded, rate, quota,
# administrative action, connection rate, maximum connect time.
PASSING = frozenset((128, 131, 136, 137, 139, 141, 147, 150, 151, 152, 159, 160))
TAKEN_OVER = "session_taken_over"
WORDS = {
    132: "protocol_version",
    133: "client_id_rejected",
    134: "bad_credentials",
    135: "not_authorised",
    136: "broker_unavailable",
    137: "broker_unavailable",
    138: "banned",
    139: "broker_shutdown",
    141: "keepalive",
    142: TAKEN_OVER,
    149: "packet_too_large",
}


class Failure(Struct, frozen=True, kw_only=True):
    """Why a connection failed or ended.

    Attributes:
        code: The cause as a word; one warning is given per code.
        text: The cause as a sentence, without secrets.
        refusal: It will not pass by itself: somebody must change something.
    """

    code: str
    text: str
    refusal: bool = False


def by_reason(value: int, name: str) -> Failure:
    """The broker's reason code, from a CONNACK or a DISCONNECT."""
    code = WORDS.get(value, "refused")
    text = f"the broker says: {name}"
    return Failure(code=code, text=text, refusal=value not in PASSING and value >= FAILURE_FROM)


def delay(failure: Failure, attempt: int, cap_s: float, roll: float) -> float:
    """Seconds until the next attempt.

    Args:
        failure: Why the last one failed.
        attempt: How many failed in a row before it, from 0.
        cap_s: The longest wait of the configuration.
        roll: A random number, 0 to 1.
    """
    if failure.refusal:
        return REFUSAL_MIN_S + roll * REFUSAL_SPREAD_S
    cap = min(cap_s, CLOSED_PORT_CAP_S) if failure.code == CLOSED_PORT else cap_s
    return float(roll * min(cap, GROWTH ** min(attempt, MAX_EXPONENT)))
