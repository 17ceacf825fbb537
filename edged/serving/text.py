"""Making text of others harmless: for logs, for error messages, for UTF-8."""

from __future__ import annotations

# Enough to recognise what was meant, short enough for a journal line.
MAX_QUOTE = 40
MAX_PLAIN = 240


def quote(text: str) -> str:
    """Text of a user in quotes: printable, escaped, at most `MAX_QUOTE` characters of it."""
    shown = text[:MAX_QUOTE].replace("\\", r"\\").replace('"', r"\"")
    return f'"{_escape(shown)}{"..." if len(text) > MAX_QUOTE else ""}"'


def plain(text: str) -> str:
    """A message without control characters, at most `MAX_PLAIN` characters of it."""
    return _escape(text[:MAX_PLAIN])


def clean(text: str) -> str:
    """The text with lone surrogates replaced, which no UTF-8 encoder would take."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def _escape(text: str) -> str:
    # Not printable are also bidi overrides and line separators: both forge log lines.
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )
