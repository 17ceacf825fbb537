"""The command line: verbs to functions, errors to exit codes.

Exit codes: 0 done, 1 the thing asked failed, 2 usage or configuration.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

import edged
from edged import config as configuration
from edged.config import Loaded
from edged.errors import ConfigError, EdgedError
from edged.files import read_bounded
from edged.password import read_password
from edged.settings import Config, MqttConfig
from edged.verbs import bench, calibrate, doctor, explain, models, pull, remove

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edged.mqtt.client import Client
    from edged.mqtt.topics import Topics

DEFAULT_CONFIG = Path("/etc/edged/edged.yaml")
MAX_CONFIG_BYTES = 65_536  # a hundred times the shipped file
USAGE = 2
EXAMPLES = """examples:
  edged demo                          a private broker, the pocket model, one question
  edged run                           the daemon, as systemd starts it
  edged ask "Is the kitchen warm?"    one prompt over MQTT, answered here
  edged status --json                 what the daemon last said about itself
  edged models                        model files: on this disk, on their way, to be had
  edged doctor                        what is wrong with board, supply, heat, disk, broker, models
"""


def load_config(path: Path | None) -> Config:
    """Reads the configuration; see `read_config`."""
    return read_config(path).config


def read_config(path: Path | None) -> Loaded:
    """Reads the configuration, with what is written as older versions had it.

    Args:
        path: The file asked for; None takes /etc/edged/edged.yaml where it exists, else defaults.

    Raises:
        ConfigError: With every mistake of the file at once.
        StorageError: When the file cannot be read.
    """
    if path is None:
        if not DEFAULT_CONFIG.exists():
            return Loaded(Config())
        path = DEFAULT_CONFIG
    found = configuration.read(read_bounded(path, MAX_CONFIG_BYTES), str(path))
    if isinstance(found, list):
        configuration.raise_problems(found)
    return found


def _run(args: argparse.Namespace) -> int:
    from edged import daemon  # noqa: PLC0415 - the client verbs must not pay for the daemon

    if not args.sysfs_root.is_dir():
        raise ConfigError([f"--sysfs-root {args.sysfs_root}: there is no such folder"])

    def read() -> Loaded:
        return read_config(args.config)

    return daemon.run(read(), read, args.sysfs_root)


def _check_config(args: argparse.Namespace) -> int:
    for note in read_config(args.file).notes:
        print(note)
    print(f"{args.file}: no mistakes found")
    return 0


def _demo(args: argparse.Namespace) -> int:
    from edged import demo  # noqa: PLC0415 - only this verb needs it

    return demo.run(args.prompt, keep=args.keep)


# Options of `ask` that go into the request as they are.
_ASKED = (
    "system",
    "persona",
    "session",
    "max_tokens",
    "temperature",
    "seed",
    "priority",
    "answer_within",
)


def _ask(args: argparse.Namespace) -> int:
    from edged.client.ask import ask, read_schema  # noqa: PLC0415 - rich and paho are for the client verbs

    prompt = sys.stdin.read() if args.prompt == "-" else args.prompt
    chosen = {name: getattr(args, name) for name in _ASKED if getattr(args, name) is not None}
    if args.choice:
        chosen["choices"] = args.choice
    if args.schema is not None:
        chosen["schema"] = read_schema(args.schema)
    request: dict[str, Any] = {"id": f"ask-{secrets.token_hex(6)}", "prompt": prompt, **chosen}

    def talk(link: Client, topics: Topics) -> int:
        return ask(link, topics, request, timeout=args.timeout, as_json=args.json)

    return _with_broker(args, talk)


def _status(args: argparse.Namespace) -> int:
    from edged.client.status import status  # noqa: PLC0415 - see _ask

    return _with_broker(
        args, lambda link, topics: status(link, topics, timeout=args.timeout, as_json=args.json)
    )


def _top(args: argparse.Namespace) -> int:
    from edged.client.status import top  # noqa: PLC0415 - see _ask

    return _with_broker(
        args, lambda link, topics: top(link, topics, seconds=args.timeout, as_json=args.json)
    )


def _with_broker(args: argparse.Namespace, talk: Callable[[Client, Topics], int]) -> int:
    from edged.mqtt.client import Client  # noqa: PLC0415 - see _ask
    from edged.mqtt.topics import Topics  # noqa: PLC0415 - see _ask

    config = load_config(args.config)
    overrides = {
        name: getattr(args, name)
        for name in ("host", "port", "username", "password_file")
        if getattr(args, name) is not None
    }
    settings = _checked(msgspec.structs.replace(config.mqtt, **overrides))
    topics = Topics(args.node or config.node, config.mqtt.reply_prefixes)
    with Client(settings, read_password(settings.password_file)) as link:
        return talk(link, topics)


def _checked(settings: MqttConfig) -> MqttConfig:
    try:
        return msgspec.convert(msgspec.to_builtins(settings), MqttConfig)
    except msgspec.ValidationError as error:
        raise ConfigError([f"command line: {error}"]) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edged",
        description=edged.__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"edged {edged.__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    run = verbs.add_parser("run", help="run the daemon in the foreground")
    _config_option(run)
    run.add_argument(
        "--sysfs-root",
        type=Path,
        default=Path("/"),
        metavar="TREE",
        help="read all sensors below this folder, to try how edged behaves in another board's heat",
    )
    run.set_defaults(verb=_run)

    check = verbs.add_parser("check-config", help="tell every mistake in a configuration file")
    check.add_argument("file", type=Path, metavar="FILE", help="the YAML file to check")
    check.set_defaults(verb=_check_config)

    demo = verbs.add_parser("demo", help="start a private broker and edged, and ask a prompt")
    demo.add_argument("--prompt", help="what to ask instead of the demo's own question")
    demo.add_argument("--keep", action="store_true", help="stay up until Ctrl-C")
    demo.set_defaults(verb=_demo)

    calibrate.add(verbs)
    bench.add(verbs)
    pull.add(verbs)
    models.add(verbs)
    remove.add(verbs)
    explain.add(verbs)
    doctor.add(verbs)
    _client_verbs(verbs)
    return parser


def _seconds(text: str) -> float:
    """A number that JSON knows; whether it is in range is for the daemon to say."""
    seconds = float(text)
    if not isfinite(seconds):
        raise ValueError(text)
    return seconds


def _client_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    ask = verbs.add_parser("ask", help="ask a running edged one prompt over MQTT")
    ask.add_argument("prompt", help="the prompt; - reads it from standard input")
    ask.add_argument("--system", help="a system prompt")
    ask.add_argument("--persona", metavar="NAME", help="the persona that answers, as configured")
    ask.add_argument("--session", metavar="ID", help="go on with the conversation of this name")
    ask.add_argument("--max-tokens", type=int, metavar="N", help="most tokens of the answer")
    ask.add_argument("--temperature", type=float, metavar="T", help="0 is greedy, up to 5")
    ask.add_argument("--seed", type=int, metavar="N", help="the same seed gives the same text")
    ask.add_argument(
        "--choice",
        action="append",
        metavar="TEXT",
        help="one of the answers to choose from; twice or more",
    )
    ask.add_argument(
        "--schema", type=Path, metavar="FILE", help="a JSON Schema that the answer obeys"
    )
    ask.add_argument("--priority", choices=("urgent", "normal", "background"))
    ask.add_argument(
        "--within",
        type=_seconds,
        metavar="SECONDS",
        dest="answer_within",
        help="the answer must have ended by then, cut at a sentence if need be",
    )
    _broker_options(ask, timeout=600, waits="the reply")
    ask.set_defaults(verb=_ask)

    status = verbs.add_parser("status", help="show what edged last said about itself")
    _broker_options(status, timeout=2, waits="the retained topics")
    status.set_defaults(verb=_status)

    top = verbs.add_parser("top", help="watch throughput and queue live; Ctrl-C ends it")
    _broker_options(top, timeout=86_400, waits="updates before ending")
    top.set_defaults(verb=_top)


def _config_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help=f"configuration (default {DEFAULT_CONFIG})"
    )


def _broker_options(parser: argparse.ArgumentParser, *, timeout: float, waits: str) -> None:
    _config_option(parser)
    parser.add_argument("--host", help="the broker (default: as configured)")
    parser.add_argument("--port", type=int, help="its port (default: as configured)")
    parser.add_argument("--username", help="user at the broker (default: as configured)")
    parser.add_argument("--password-file", metavar="FILE", help="a file with the password")
    parser.add_argument("--node", help="the node to speak to (default: as configured)")
    parser.add_argument(
        "--timeout", type=float, default=timeout, metavar="S", help=f"seconds to wait for {waits}"
    )
    parser.add_argument("--json", action="store_true", help="print JSON for programs")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb.

    Args:
        arguments: The command line without the program's name; None takes `sys.argv`.

    Returns:
        The exit code: 0 done, 1 the thing asked failed, 2 usage or configuration.
    """
    args = _parser().parse_args(arguments)
    try:
        return int(args.verb(args))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return USAGE
    except EdgedError as error:
        print(f"edged: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
