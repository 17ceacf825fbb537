from __future__ import annotations

import re
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edged.config import (
    Config,
    DownloadConfig,
    MqttConfig,
    PanelConfig,
    PersonaConfig,
    Problem,
    TlsConfig,
    TurnConfig,
    is_secret,
    parse,
    raise_problems,
    shown,
)
from edged.configrules import rules
from edged.errors import ConfigError
from edged.sections import MAX_PROBLEMS, MAX_SHOWN
from edged.yamltree import MAX_BYTES

PACKAGED = Path(__file__).parents[1] / "config" / "edged.yaml"
DEEP_KEY = re.compile(r"^( *)#([a-z_]+:.*)$", re.MULTILINE)


def good(text: str) -> Config:
    config = parse(text.encode(), "edged.yaml")
    assert isinstance(config, Config), config
    return config


def bad(text: str | bytes) -> list[Problem]:
    found = parse(text if isinstance(text, bytes) else text.encode(), "edged.yaml")
    assert isinstance(found, list)
    assert found
    return found


def one(text: str | bytes) -> Problem:
    found = bad(text)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize("text", ["", "# only this\n", "---\n", "mqtt:\nengine:\n", "mqtt: {}\n"])
def test_nothing_said_means_all_defaults(text: str) -> None:
    assert good(text) == Config()


def test_the_packaged_file_as_it_is_means_all_defaults() -> None:
    assert good(PACKAGED.read_text()) == Config()


def test_the_packaged_file_uncommented_says_every_key_with_its_default() -> None:
    text = DEEP_KEY.sub(r"\1\2", PACKAGED.read_text())
    config = good(text)
    assert config == Config()
    sections = (config, config.mqtt, config.model, config.engine, config.serving)
    for section in (*sections, config.model.download):
        for name in section.__struct_fields__:
            assert re.search(rf"^ *{name}:", text, re.MULTILINE), name
    others = (config.telemetry, config.panel, config.thermal, TlsConfig)
    for name in (name for section in others for name in section.__struct_fields__):
        assert f" {name}:" in text


def test_values_arrive() -> None:
    config = good(
        """
node: kitchen-2
mqtt:
  host: fe80::1%eth0
  port: 8883
  protocol: 311
  username: "1234"
  password_file: /run/secret
  connect_timeout_s: 2.5
  reply_prefixes: [house/answers/, edged/kitchen-2/reply/deep/]
  tls:
    cert_file: /a
    key_file: /b
    insecure: true
engine: {command: [/bin/true, -x], threads: 3, kv_type: q8_0, repack: off, target_tps: 7.5}
serving: {capacity: 5, per_client: 5, state_dir: /tmp/x}
telemetry: {log_level: debug, idle_interval_s: 1e1}
personas:
  - name: butler
    system: |
      You are "the butler".
      Be brief.
    turns: [{user: Hello, assistant: At your service.}]
  - {name: cook, system: Cook!}
"""
    )
    assert config.node == "kitchen-2"
    assert config.mqtt == MqttConfig(
        host="fe80::1%eth0",
        port=8883,
        protocol=311,
        username="1234",
        password_file="/run/secret",  # noqa: S106 - the path of one
        connect_timeout_s=2.5,
        reply_prefixes=("house/answers/", "edged/kitchen-2/reply/deep/"),
        tls=TlsConfig(cert_file="/a", key_file="/b", insecure=True),
    )
    assert config.engine.command == ("/bin/true", "-x")
    assert (config.engine.kv_type, config.engine.repack) == ("q8_0", "off")
    assert config.engine.target_tps == 7.5
    assert config.telemetry.idle_interval_s == 10
    butler, cook = config.personas
    assert butler.system == 'You are "the butler".\nBe brief.\n'
    assert butler.turns == (TurnConfig(user="Hello", assistant="At your service."),)
    assert cook == PersonaConfig(name="cook", system="Cook!")


@pytest.mark.parametrize(
    ("panel", "said"),
    [
        ("{led_pin: 28}", "panel.led_pin: must be a whole number <= 27; it is 28"),
        ("{fan_pin: -1}", "panel.fan_pin: must be a whole number >= 0; it is -1"),
        ("{led_pin: true}", "panel.led_pin: must be a whole number, got bool; it is True"),
        ("{led_pin: 4, button_pin: 4}", "panel.button_pin: is 4, which led_pin has already"),
        ("{button_pin: 0, fan_pin: 0}", "panel.fan_pin: is 0, which button_pin has already"),
    ],
)
def test_pins_of_the_panel_are_on_the_header_and_each_its_own(panel: str, said: str) -> None:
    assert str(one(f"panel: {panel}")) == f"edged.yaml:1: {said}"


@pytest.mark.parametrize(
    ("thermal", "said"),
    [
        ("{hot_c: 69}", "thermal.hot_c: is 69, not above passive_c 70"),
        ("{passive_c: 78}", "thermal.hot_c: is 78, not above passive_c 78"),
        ("{critical_c: 78}", "thermal.critical_c: is 78, not above hot_c 78"),
        (
            "{hot_c: 80.5}",
            "thermal.hot_c: is 80.5, and the firmware throttles from 80 C, whatever is set here",
        ),
        (
            "{critical_c: 86}",
            "thermal.critical_c: is 86, and the firmware throttles hard from 85 C",
        ),
        ("{hysteresis_c: 0}", "thermal.hysteresis_c: must be a number >= 0.5; it is 0"),
        ("{passive_c: -5}", "thermal.passive_c: must be a number >= 30.0; it is -5"),
    ],
)
def test_trip_points_ascend_and_stay_within_what_the_firmware_allows(
    thermal: str, said: str
) -> None:
    assert str(one(f"thermal: {thermal}")) == f"edged.yaml:1: {said}"


def test_trip_points_may_be_lower() -> None:
    parsed = parse(b"thermal: {passive_c: 50, hot_c: 60, critical_c: 65}", "edged.yaml")
    assert isinstance(parsed, Config)
    assert parsed.thermal.hot_c == 60


def test_a_panel_may_have_any_of_its_parts() -> None:
    assert good("panel: {led_pin: 17}").panel == PanelConfig(led_pin=17)
    config = good("panel: {led_pin: 0, button_pin: 1, fan_pin: 27}")
    assert config.panel == PanelConfig(led_pin=0, button_pin=1, fan_pin=27)


def test_defaults_are_within_the_rules() -> None:
    assert list(rules(Config())) == []
    assert msgspec.convert(msgspec.to_builtins(Config()), Config) == Config()


def test_an_empty_tls_section_turns_encryption_on() -> None:
    assert good("mqtt: {tls: {}}").mqtt.tls == TlsConfig()
    assert good("mqtt:\n  tls:\n").mqtt.tls is None


def test_all_problems_come_at_once_in_the_order_of_the_file() -> None:
    found = bad(
        """node: On
mqtt:
  hots: a
  port: 0
  port: 5
  username: 5
model: 5
telemetry:
  log_level: loud
typo: 1
"""
    )
    assert [(problem.where, problem.line) for problem in found] == [
        ("node", 1),
        ("mqtt.hots", 3),
        ("mqtt.port", 4),
        ("mqtt.port", 5),
        ("mqtt.username", 6),
        ("model", 7),
        ("telemetry.log_level", 9),
        ("typo", 10),
    ]
    assert [str(problem) for problem in found][1:4] == [
        "edged.yaml:3: mqtt.hots: unknown key; did you mean host?",
        "edged.yaml:4: mqtt.port: must be a whole number >= 1; it is 0",
        "edged.yaml:5: mqtt.port: stands here again, first in line 4",
    ]
    assert "put it in quotes" in found[4].message
    assert "debug, info, warning, error" in found[6].message
    assert "known are node, mqtt" in found[7].message


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("mqtt: {port: 65536}", "mqtt.port", "<= 65535"),
        ("mqtt: {port: true}", "mqtt.port", "a whole number"),
        ("mqtt: {port: 18:83}", "mqtt.port", "a whole number"),
        ("mqtt: {port: 1.5}", "mqtt.port", "a whole number"),
        ("mqtt: {port: null}", "mqtt.port", "a whole number"),
        ("mqtt: {protocol: 4}", "mqtt.protocol", "must be one of 5, 311; it is 4"),
        ("mqtt: {connect_timeout_s: 1e999}", "mqtt.connect_timeout_s", "<= 120"),
        ("mqtt: {connect_timeout_s: .nan}", "mqtt.connect_timeout_s", "a number"),
        ("mqtt: {tls: {insecure: yes}}", "mqtt.tls.insecure", "bool"),
        ("mqtt: {tls: yes}", "mqtt.tls", "a section"),
        ("mqtt: [1]", "mqtt", "a section"),
        ("mqtt: {reply_prefixes: a/}", "mqtt.reply_prefixes", "array"),
        ("mqtt: {reply_prefixes: [a/, 5]}", "mqtt.reply_prefixes", "at item [1]"),
        ("mqtt: {host: 'mqtt://u:hunter2@h'}", "mqtt.host", "without scheme"),
        ("mqtt: {host: ''}", "mqtt.host", "length >= 1"),
        ('mqtt: {username: "a\\nb"}', "mqtt.username", "printable"),
        ('mqtt: {username: "\\ud800"}', "mqtt.username", "printable"),
        ('mqtt: {client_id: "a\\0"}', "mqtt.client_id", "printable"),
        ('engine: {command: ["a\\0"]}', "engine.command", "printable"),
        ("engine: {command: []}", "engine.command", "length >= 1"),
        ("engine: {streams: 17}", "engine.streams", "<= 16"),
        ("engine: {prefill_share: 1}", "engine.prefill_share", "<= 0.95"),
        ("engine: {target_tps: -1}", "engine.target_tps", ">= 0"),
        ("engine: {kv_type: q4_0}", "engine.kv_type", "must be one of auto, f16, q8_0"),
        ("engine: {kv_type: q8_0, flash_attention: off}", "engine.flash_attention", "q8_0"),
        ("engine: {cache_dir: here}", "engine.cache_dir", "absolute"),
        ("engine: {disk_cache_mib: 1e3}", "engine.disk_cache_mib", "a whole number"),
        ("model: {path: ../m.gguf}", "model.path", "absolute"),
        ("model: {catalogue_dir: own}", "model.catalogue_dir", "absolute"),
        ("model: {context: 255}", "model.context", ">= 256"),
        ("model: {context: 131073}", "model.context", "<= 131072"),
        ("serving: {state_dir: here}", "serving.state_dir", "absolute"),
        ("discovery: {mode: devices}", "discovery.mode", "one of device, component, both, off"),
        ("discovery: {prefix: ''}", "discovery.prefix", "length >= 1"),
        ("discovery: {prefix: /home}", "discovery.prefix", "empty levels"),
        ("discovery: {prefix: home/}", "discovery.prefix", "empty levels"),
        ("discovery: {prefix: home/+}", "discovery.prefix", "+ or #"),
        ("discovery: {prefix: $SYS/x}", "discovery.prefix", "start with $"),
        ("discovery: {prefix: edged/x}", "discovery.prefix", "our own"),
        ('discovery: {prefix: "a\\0"}', "discovery.prefix", "printable"),
        (
            "mqtt: {reply_prefixes: [ha/x/]}\ndiscovery: {prefix: ha}",
            "mqtt.reply_prefixes",
            "item 0 must not start with discovery.prefix",
        ),
        ("node: any", "node", "whole fleet"),
        ("node: a/b", "node", "a-z 0-9"),
        ("node: ''", "node", "1 to 32"),
        ("serving: {per_client: 65}", "serving.per_client", "above capacity 64"),
        (
            "serving: {capacity: 10, per_client: 11}",
            "serving.per_client",
            "is 11, above capacity 10",
        ),
        ("serving: {max_tokens: 5000}", "serving.max_tokens", "above max_tokens_limit 4096"),
        ("serving: {max_tokens_limit: 9}", "serving.max_tokens", "above max_tokens_limit 9"),
        ("sessions: {max_tokens: 2048}", "sessions.max_tokens", "not below model.context 2048"),
        (
            "model: {context: 256}\nsessions: {max_tokens: 300}",
            "sessions.max_tokens",
            "is 300, not below",
        ),
        ("sessions: {max_tokens: 63}", "sessions.max_tokens", "64"),
        ("sessions: {capacity: 0}", "sessions.capacity", "1"),
        ("sessions: {capacity: 1025}", "sessions.capacity", "1024"),
        ("sessions: {max_age_s: 0}", "sessions.max_age_s", "1"),
        ("sessions: {max_age: 60}", "sessions.max_age", "max_age_s"),
        ("mqtt: {tls: {cert_file: /a}}", "mqtt.tls.key_file", "together"),
        ("mqtt: {tls: {key_file: /a}}", "mqtt.tls.cert_file", "together"),
        (
            "mqtt: {protocol: 311}\nfleet: {enabled: true}",
            "fleet.enabled",
            "needs mqtt.protocol 5",
        ),
        ("mqtt: {protocol: 311, password_file: /a}", "mqtt.username", "without a username"),
        ("[1]", "", "a section"),
        ("just text", "", "a section"),
        ("{[a]: 1}", "", "plain word"),
        ("a: &x 1", "", "anchors"),
        ("a: *x", "", "anchors"),
        ("a: !!python/name:os.system x", "", "tags"),
        ("<<: {node: x}", "<<", "unknown key"),
        ("[" * 60_000, "", "nested"),
        ("- " * 30_000, "", "nested"),
        ("{a: " * 9, "", "nested"),
        ("a: 1\n--- \nb: 2\n", "", "YAML syntax"),
        ("a: 'x\n b: c", "", "YAML syntax"),
        ("mqtt:\n\tport: 1", "", "YAML syntax"),
        ('a: "\\UFFFFFFFF"', "", "YAML syntax"),
        ("mqtt: {port: " + "9" * 60_000 + "}", "", "digits"),
        ("mqtt: {port: " + "9" * 30 + "}", "mqtt.port", "65535"),
        ("x" * (MAX_BYTES + 1), "", "131072"),
        (b"node: a\n\xff", "", "UTF-8"),
        (b"node: a\n\x00", "", "control characters"),
    ],
)
def test_each_mistake_is_told_once(text: str | bytes, where: str, said: str) -> None:
    problem = one(text)
    assert (problem.where, said in problem.message) == (where, True), problem
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("a", "end with /"),
        ("a/+/", "+ or #"),
        ("#/", "+ or #"),
        ("$SYS/", "$"),
        ("homeassistant/sensor/", "homeassistant"),
        ("edged/", "only as edged/edged/reply/"),
        ("edged/edged/request/", "only as"),
        ("edged/other/reply/", "only as"),
        ("/a/", "empty levels"),
        ("a//", "empty levels"),
        ("1/2/3/4/5/6/7/8/", "over 7 levels"),
        ("\u00e4" * 100 + "/", "over 192 bytes"),
        ("a\\0/", "printable"),
        ("\\ud800/", "printable"),
    ],
)
def test_a_reply_prefix_steers_nobody_else(prefix: str, said: str) -> None:
    problem = one(f'mqtt:\n  reply_prefixes: [ok/, "{prefix}"]')
    assert problem.where == "mqtt.reply_prefixes"
    assert problem.line == 2
    assert said in problem.message
    assert "item 1" in problem.message


def test_the_longest_prefixes_pass() -> None:
    assert good("mqtt: {reply_prefixes: [1/2/3/4/5/6/7/]}").mqtt.reply_prefixes


def test_a_rule_is_silent_where_a_type_already_spoke() -> None:
    assert one("mqtt: {protocol: 311, password_file: /a, username: 5}").where == "mqtt.username"


@pytest.mark.parametrize("key", ["password", "mqtt_password", "Token", "api-key", "passwd"])
def test_a_secret_is_refused_with_advice_and_never_shown(key: str) -> None:
    problem = one(f"mqtt: {{{key}: hunter2}}")
    assert "mqtt.password_file" in problem.message
    assert "hunter2" not in str(problem)


HUNTER = "You are hunter2"
MANY = ",".join(f"{{name: n{n}, system: x}}" for n in range(33))
NAMED = f"name: a, system: {HUNTER}"


@pytest.mark.parametrize(
    ("personas", "where", "said"),
    [
        (HUNTER, "personas", "a list of sections"),
        (f"{{{NAMED}}}", "personas", "a list of sections"),
        (f"['{HUNTER}']", "personas[0]", "a section"),
        ("[{system: x}]", "personas[0].name", "a-z 0-9"),
        ("[{name: x}]", "personas[0].system", "some text"),
        ("[{name: Butler, system: x}]", "personas[0].name", "a-z 0-9"),
        ("[{name: a, system: x}, {name: a, system: y}]", "personas[1].name", "item 0 too"),
        ("[{name: a, system: ''}]", "personas[0].system", "length >= 1"),
        ("[{name: a, system: ' '}]", "personas[0].system", "some text"),
        ('[{name: a, system: "\\ud800"}]', "personas[0].system", "surrogate"),
        ("[{name: a, system: 42}]", "personas[0].system", "text"),
        ("[{name: a, system: 'hunter2" + "x" * 32_768 + "'}]", "personas[0].system", "<= 32768"),
        (f"[{{{NAMED}, {HUNTER}: x}}]", "personas[0]", "known are name, system"),
        (f"[{{{NAMED}, sytem: x}}]", "personas[0]", "did you mean system?"),
        (f"[{{{NAMED}, name: hunter2}}]", "personas[0].name", "again"),
        (f"[{{{NAMED}, turns: [hunter2]}}]", "personas[0].turns[0]", "a section"),
        (f"[{{{NAMED}, turns: [{{user: hunter2}}]}}]", "personas[0].turns[0].assistant", "text"),
        (f"[{{{NAMED}, turns: [{{user: 5, assistant: x}}]}}]", "personas[0].turns[0].user", "text"),
        (f"[{{{NAMED}, turns: [{'{user: a, assistant: b},' * 33}]}}]", "personas[0].turns", "33"),
        (
            f"[{MANY}]",
            "personas",
            "at most 32",
        ),
    ],
)
def test_a_mistake_in_a_persona_is_told_by_its_place_and_never_by_its_text(
    personas: str, where: str, said: str
) -> None:
    problem = one(f"node: a\npersonas: {personas}")
    assert (problem.where, problem.line, said in problem.message) == (where, 2, True), problem
    assert "hunter2" not in str(problem)


def test_each_persona_has_a_line_of_its_own() -> None:
    found = bad("personas:\n- name: a\n  system: x\n- name: b\n-\n  name: c\n  system: 1\n")
    assert [(problem.where, problem.line) for problem in found] == [
        ("personas[1].system", 4),
        ("personas[2].system", 7),
    ]
    found = bad("personas: [null]")
    assert [problem.where for problem in found] == ["personas[0].name", "personas[0].system"]


def test_the_packaged_example_of_a_persona_is_one() -> None:
    _, key, rest = PACKAGED.read_text().partition("#   personas:")
    lines = (key + rest).splitlines()
    config = good("\n".join(line[4:] for line in lines if line.startswith("#   ")))
    assert [persona.name for persona in config.personas] == ["butler"]
    assert config.personas[0].turns
    assert [field.name for field in config.personas[0].fields] == ["outside", "door"]


def test_no_personas_may_be_said_in_three_ways() -> None:
    assert [good(f"personas: {said}").personas for said in ("", "null", "[]")] == [()] * 3


def test_secrets_hide_inside_other_values_too() -> None:
    assert "hunter2" not in str(one("mqtt: {host: {password: hunter2}}"))
    assert shown("x.password", "hunter2") == "(not shown)"
    assert shown("x", ["hunter2"]) == "(not shown)"
    assert not is_secret("max_tokens")
    assert not is_secret("password_file")


def test_values_are_shown_short_and_escaped() -> None:
    assert shown("a", "\x1b[31m\n") == r"'\x1b[31m\n'"
    assert len(shown("a", "x" * 1000)) == MAX_SHOWN


def test_a_flood_of_problems_is_counted_not_printed() -> None:
    found = bad("".join(f"k{n}: 1\n" for n in range(5000)))
    assert len(found) == MAX_PROBLEMS + 1
    assert str(found[-1]) == f"edged.yaml: and {5000 - MAX_PROBLEMS} more"


def test_a_wild_key_cannot_forge_a_line() -> None:
    problem = one('"a\\nb\\e[31m": 1')
    assert str(problem).isprintable()
    assert problem.where == r"a\nb\x1b[31m"


def test_problems_become_one_error() -> None:
    with pytest.raises(ConfigError, match=r"edged\.yaml:1: node") as caught:
        raise_problems(bad("node: A\nx: 1"))
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    "text", ["a: 1\n" * 26_000, "? " * 65_000, "a" * 130_000, "{" * 60_000, "personas: [" * 9]
)
def test_any_file_is_read_in_bounded_time(text: str) -> None:
    before = time.monotonic()
    parse(text.encode()[:MAX_BYTES], "x")
    assert time.monotonic() - before < 60  # about 3 s; a reader that is quadratic takes hours


YAMLISH = st.text(alphabet="node: mqt[]{}&*!|>'\"%\\UxX0123\n\t -?#,\x00\x85\ufeff", max_size=80)


@given(st.one_of(st.binary(max_size=80), YAMLISH.map(lambda text: text.encode())))
@example(b"%YAML 1" + b"1" * 5000 + b"\n--- a")
@example(b'"\\x')
@example(b"\xef\xbb\xbfnode: a")
def test_any_bytes_give_a_config_or_problems(data: bytes) -> None:
    found = parse(data, "x")
    if isinstance(found, list):
        assert found
        assert all(str(problem).isprintable() for problem in found)
    else:
        assert list(rules(found)) == []


def test_downloads_are_set_and_judged() -> None:
    config = good(
        """
model:
  download:
    enabled: false
    endpoint: https://hub.home.example:8443/models/
    mirrors: ["http://192.168.1.5:8080", "https://[fd00::1]/x"]
    token_file: /etc/edged/token
    rate_mib_s: 2.5
    quiet_hours: 22:00-06:30
    evict: true
"""
    )
    assert config.model.download == DownloadConfig(
        enabled=False,
        endpoint="https://hub.home.example:8443/models/",
        mirrors=("http://192.168.1.5:8080", "https://[fd00::1]/x"),
        token_file="/etc/edged/token",  # noqa: S106 - the path of one
        rate_mib_s=2.5,
        quiet_hours="22:00-06:30",
        evict=True,
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("endpoint: ftp://hub", "http:// or https://"),
        ("endpoint: file:///etc", "http:// or https://"),
        ("endpoint: https://user:hunter2@hub", "without user"),
        ('endpoint: "https://hub/?token=hunter2"', "without user, query"),
        ("mirrors: [https://good, hub]", "item 1 must be http://"),
        ("token_file: token", "absolute path"),
        ("rate_mib_s: -1", ">= 0"),
        ("quiet_hours: 22-6", "HH:MM-HH:MM"),
        ("quiet_hours: 24:00-06:00", "HH:MM-HH:MM"),
        ("quiet_hours: 06:00-06:00", "different times"),
        ("evict: maybe", "must be bool"),
    ],
)
def test_a_mistake_in_downloads_is_told_by_its_key(line: str, said: str) -> None:
    problem = one(f"model: {{download: {{{line}}}}}")
    assert problem.where == f"model.download.{line.partition(':')[0]}"
    assert said in problem.message
    assert "hunter2" not in str(problem)
