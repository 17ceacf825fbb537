"""What the bare loop is asked and what it hands back."""

from __future__ import annotations

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a context is made; the same for the bare loop and for the daemon.

    Attributes:
        threads: Of decode and prefill.
        context: Tokens.
        chunk: Prompt tokens in one decode call.
    """

    threads: int = 1
    context: int = 2048
    chunk: int = 128


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt, already rendered by the chat template.

    Attributes:
        prompt: Text with its special tokens written out.
        tokens: How many to decode at most.
        after: Text that comes before and is read only once; reading it is not timed.
    """

    prompt: str
    tokens: int
    after: str = ""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One answer.

    Attributes:
        text: What was decoded.
        prompt_tokens: Length of the prompt.
        tokens: Tokens decoded.
        ttft_ms: From the task to the first token.
        span_ms: From the first token to the last.
    """

    text: str
    prompt_tokens: int
    tokens: int
    ttft_ms: float
    span_ms: float

    @property
    def tokens_per_second(self) -> float:
        """Rate after the first token; 0 if there was no second one."""
        return rate(self.tokens, self.span_ms)


def rate(tokens: int, span_ms: float) -> float:
    """Tokens per second of all tokens but the first, which starts the watch."""
    return (tokens - 1) / span_ms * 1e3 if tokens > 1 and span_ms > 0 else 0.0


def render(prompt: str) -> str:
    """One user turn as the made-up models' chat template writes it."""
    return f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"


def render_system(text: str) -> str:
    """The turn that stands before the user's, as the same template writes it."""
    return f"<|im_start|>system\n{text}<|im_end|>\n"
