"""What the daemon and its engine child say to each other; `codec` makes bytes of it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

# Ranges are those that native code survives: a context of 10,000,000 tokens hangs llama.cpp for
# over a minute, 2048 is its usual largest batch, and no board we know has more than 64 cores.
Context = Annotated[int, Meta(ge=256, le=131_072)]
Batch = Annotated[int, Meta(ge=16, le=2048)]
Threads = Annotated[int, Meta(ge=1, le=64)]
Tokens = Annotated[int, Meta(ge=0, le=131_072)]
Size = Annotated[int, Meta(ge=0, le=2**53)]
Milliseconds = Annotated[float, Meta(ge=0, le=1e12)]
Within = Annotated[float, Meta(ge=0, le=604_800)]  # a week, as long as it may wait
Unit = Annotated[float, Meta(ge=0, le=1)]
Key = Annotated[str, Meta(min_length=1, max_length=1024)]
Code = Annotated[str, Meta(min_length=1, max_length=64)]
Line = Annotated[str, Meta(max_length=4096)]
Rate = Annotated[float, Meta(ge=0, le=1e9)]
Choice = Annotated[str, Meta(min_length=1, max_length=200)]
Score = Annotated[float, Meta(ge=-1e9, le=0)]
Stop = Annotated[str, Meta(min_length=1, max_length=256)]
KvType = Literal["f16", "q8_0"]
MAX_STREAMS = 16  # a Pi 5 has four cores; more only share out what one could have
# As the daemon writes it at most, with all references followed; the frame has room for that.
MAX_SCHEMA_CHARS = 65536
MAX_CHOICES = 64  # of a decision; a selector of a house has some ten options
# Keys of errands for prefixes (Learn, Restore, Save, Unlearn) begin so, and those of Measure so.
ERRAND = "prefix/"
MEASURE = "measure/"
MAX_REPEAT = 64


class Frame(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag=True,
    tag_field="t",
    forbid_unknown_fields=True,
):
    """The base of every frame; its kind on the wire is the class name."""


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Meta(max_length=262_144)]


Messages = Annotated[tuple[Message, ...], Meta(min_length=1, max_length=256)]


class Load(Frame, frozen=True):
    """To the child, first and once: open this model file.

    Attributes:
        path: Absolute.
        n_ctx: Tokens of prompt and answer together of one run.
        n_batch: Tokens of one step at most.
        threads: Of decode.
        threads_batch: Of prefill.
        prefill_chunk: Prompt tokens of one step at most.
        streams: Runs computed side by side; 0 measures how many keep `target_tps` each.
        target_tps: What each stream should reach, in tok/s.
        prefix_tokens: Room for tokens of prefixes that are kept, besides that of the streams.
        prefix_bytes: Memory for those that are copied out of the context instead, whose room is
            then no more than a run's; not for recurrent models, nor those with a sliding window.
        prefill_share: How much of their rate running streams give for reading a new prompt.
        kv_type: Of the cached keys and values; q8_0 takes about half the memory of f16.
        flash_attention: q8_0 values need it.
        repack: Weights are rearranged for this CPU where llama.cpp can, in anonymous memory.
        warm_up: Before Ready some tokens are read; who only times a model need not wait for that.
    """

    path: Annotated[str, Meta(min_length=1, max_length=4096)]
    n_ctx: Context = 2048
    n_batch: Batch = 512
    threads: Threads = 4
    threads_batch: Threads = 4
    prefill_chunk: Batch = 128
    streams: Annotated[int, Meta(ge=0, le=MAX_STREAMS)] = 1
    target_tps: Annotated[float, Meta(ge=0, le=1e4)] = 8.0
    prefix_tokens: Tokens = 4096
    prefix_bytes: Size = 0
    prefill_share: Annotated[float, Meta(ge=0.05, le=0.95)] = 0.5
    kv_type: KvType = "f16"
    flash_attention: Literal["auto", "on", "off"] = "auto"
    repack: bool = True
    warm_up: bool = True


class Generate(Frame, frozen=True):
    """To the child: answer `messages`.

    At most Ready.streams at a time, and one more of priority 0; the next after Done or Failed.

    Attributes:
        choices: Nothing is written; Done tells how likely each of these answers is.
        schema: A plain JSON Schema as JSON, which the answer obeys unless it is cut.
        priority: 0 is urgent; runs beyond Ready.streams wait for those of a lower number.
        within_s: Seconds until its end, as `deadline` if need be. Failed with the code `too_late`
            comes at once where not even the prompt can be read by then.
    """

    key: Key
    messages: Messages
    max_tokens: Annotated[int, Meta(ge=1, le=131_072)] = 256
    temperature: Annotated[float, Meta(ge=0, le=10)] = 0.7
    top_p: Unit = 0.9
    top_k: Annotated[int, Meta(ge=0, le=1_000_000)] = 40
    min_p: Unit = 0.05
    repeat_penalty: Annotated[float, Meta(ge=0.1, le=10)] = 1.1
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1)] | None = None
    stop: Annotated[tuple[Stop, ...], Meta(max_length=16)] = ()
    choices: Annotated[tuple[Choice, ...], Meta(max_length=MAX_CHOICES)] = ()
    schema: Annotated[str, Meta(min_length=1, max_length=MAX_SCHEMA_CHARS)] | None = None
    priority: Annotated[int, Meta(ge=0, le=2)] = 1
    within_s: Within | None = None


class Learn(Frame, frozen=True):
    """To the child: read what every prompt that begins with these messages begins with.

    Done in chunks while nothing else runs, and kept until Unlearn. The answer is Learned or
    Failed. A key that is known already is learnt anew if its messages are other ones.
    """

    key: Key
    messages: Messages


class Restore(Frame, frozen=True):
    """To the child: like Learn, from a state that Save made.

    The next descriptor on the side socket is a file whose bytes from `offset` on are the state;
    the daemon has verified them. The answer is Learned, or Failed with the code `bad_state`.
    """

    key: Key
    messages: Messages
    offset: Size
    size: Size


class Save(Frame, frozen=True):
    """To the child: write the state of what it learnt under this key.

    The next descriptor on the side socket is a memory file of the size that Learned told. The
    answer is Saved or Failed.
    """

    key: Key


class Unlearn(Frame, frozen=True):
    """To the child: this is no longer to be kept. Unknown keys are ignored; no answer."""

    key: Key


class Measure(Frame, frozen=True):
    """To the child: time made-up tokens while nothing else runs, as llama-bench does.

    The answer is Measured; or Failed, with the code `interrupted` as soon as a request comes, and
    `too_deep` if the context has no room. Prefill tells how far it is.

    Attributes:
        depth: Tokens that stand in the context before each of the timed ones.
        pp: Tokens to read, in steps of n_batch; 0 leaves it out.
        tg: Tokens to decode behind the same depth; 0 leaves it out.
        repeat: How often each is timed.
        threads: Of decode, whatever neighbours want; 0 is what Pace or Load says.
        threads_batch: Of prefill; 0 as above.
    """

    key: Key
    depth: Tokens = 0
    pp: Tokens = 0
    tg: Tokens = 0
    repeat: Annotated[int, Meta(ge=1, le=MAX_REPEAT)] = 1
    threads: Annotated[int, Meta(ge=0, le=64)] = 0
    threads_batch: Annotated[int, Meta(ge=0, le=64)] = 0


class Cancel(Frame, frozen=True):
    """To the child: end this run soon with `cancelled`. Unknown keys are ignored."""

    key: Key


class Pace(Frame, frozen=True):
    """To the child: from the next token on, compute like this.

    Attributes:
        threads: Of decode at most; fewer if the house wants its cores.
        threads_batch: Of prefill at most, likewise.
        idle_share: The share of wall time to sleep, spread evenly over the tokens.
        prefill_chunk: Prompt tokens per step; the child never exceeds its n_batch.
        decode_tps: tok/s of one stream at most, evenly spaced; None is no cap. 0.1 is one token
            in ten seconds, and slower than that nobody waits.
    """

    threads: Threads
    threads_batch: Threads
    idle_share: Annotated[float, Meta(ge=0, le=0.95)] = 0.0
    prefill_chunk: Batch = 128
    decode_tps: Annotated[float, Meta(ge=0.1, le=1e4)] | None = None


class Quit(Frame, frozen=True):
    """To the child: exit with status 0."""


class Loading(Frame, frozen=True):
    """From the child while it loads."""

    percent: Annotated[float, Meta(ge=0, le=100)]


class Ready(Frame, frozen=True):
    """From the child, once: the model is open and has decoded one token.

    Attributes:
        n_ctx: Tokens of one run; never more than `n_ctx_train` or what Load asked for.
        streams: Runs it computes side by side.
        n_cells: Tokens that all runs and prefixes together have room for.
        kv_bytes: Bytes of the cached keys and values, or of recurrent states.
        kv_type: Of the cached keys and values.
        flash_attention: Whether it is used.
        partial: A prefix may be shared in part; false where state is recurrent.
        stream_tps: Measured tok/s of one of 1, 2, 4 ... streams at an empty context.
        template: Where the chat template comes from.
        backend: Which of llama.cpp's libraries for kinds of processors computes; empty if there is
            but one.
        warning: What the owner of the model should know, or empty.
    """

    n_ctx: Size
    n_ctx_train: Size
    n_params: Size
    n_vocab: Size
    description: Line
    load_ms: Milliseconds
    selftest_ms: Milliseconds
    system_info: Line
    backend: Line = ""
    template: Literal["model", "chatml"] = "model"
    warning: Line = ""
    streams: Annotated[int, Meta(ge=1, le=MAX_STREAMS)] = 1
    n_cells: Size = 0
    kv_bytes: Size = 0
    kv_type: KvType = "f16"
    flash_attention: bool = False
    partial: bool = True
    stream_tps: Annotated[tuple[Rate, ...], Meta(max_length=MAX_STREAMS)] = ()


class LoadFailed(Frame, frozen=True):
    """From the child instead of Ready; it exits afterwards."""

    code: Code
    message: Line


class Prefill(Frame, frozen=True):
    """From the child: `done` of `total` prompt tokens are read.

    With `within_s`: `planned` tokens of the answer fit at most, as rates were when it began.
    """

    key: Key
    done: Tokens
    total: Tokens
    planned: Tokens | None = None


class Delta(Frame, frozen=True):
    """From the child: the next `tokens` tokens became `text` (may be empty)."""

    key: Key
    text: Annotated[str, Meta(max_length=262_144)]
    tokens: Tokens


class Done(Frame, frozen=True):
    """From the child, last for a key.

    Attributes:
        completion_tokens: The sum of `tokens` over the run's Deltas; end-of-text is not counted.
        prompt_ms: Wall time from the first prompt step to the end of the last one.
        predicted_ms: Wall time from there to the last token: of `completion_tokens` - 1 decodes.
        ttft_ms: Wall time from the receipt of Generate to the first token, or to the scores; 0 if
            there was none.
        scores: Of each choice, the logarithm of the probability that the answer is or begins with
            it; see `edged.engine.worker.options`.
    """

    key: Key
    finish_reason: Literal["stop", "length", "deadline", "cancelled"]
    prompt_tokens: Tokens
    cached_tokens: Tokens
    completion_tokens: Tokens
    prompt_ms: Milliseconds
    predicted_ms: Milliseconds
    ttft_ms: Milliseconds
    scores: Annotated[tuple[Score, ...], Meta(max_length=MAX_CHOICES)] = ()


class Failed(Frame, frozen=True):
    """From the child, last for a key: this request or errand failed, the child lives on."""

    key: Key
    code: Code
    message: Line


class Learned(Frame, frozen=True):
    """From the child: it keeps the prefix of this key.

    Attributes:
        tokens: Length of the prefix.
        cached: How many of them it had not to read; all of them after Restore.
        state_bytes: What Save will take.
        read_ms: Wall time of reading or restoring.
    """

    key: Key
    tokens: Tokens
    cached: Tokens
    state_bytes: Size
    read_ms: Milliseconds


class Saved(Frame, frozen=True):
    """From the child: the first `size` bytes of the memory file are the state."""

    key: Key
    size: Size


class Measured(Frame, frozen=True):
    """From the child: wall time of all `pp` and of all `tg` tokens, for each repetition.

    The first one of a size that was not computed before pays for what is made once.
    """

    key: Key
    pp_ms: Annotated[tuple[Milliseconds, ...], Meta(max_length=MAX_REPEAT)] = ()
    tg_ms: Annotated[tuple[Milliseconds, ...], Meta(max_length=MAX_REPEAT)] = ()


class Effort(Frame, frozen=True):
    """From the child, about once a second while it has anything to do: what it took.

    Attributes:
        wall_ms: Since the last one, or since it began to have something to do.
        busy_ms: Of that it computed; the rest it rested or waited.
        core_ms: `busy_ms` times the threads it computed with.
        decode_ms: Of `busy_ms`, the steps that only decoded.
        decodes: Those steps; each is a token of every stream that decoded.
        tokens: Of all streams in those steps.
        decoding: Streams that decode now.
        threads: Of decode, as they are now.
    """

    wall_ms: Milliseconds
    busy_ms: Milliseconds
    core_ms: Milliseconds
    decode_ms: Milliseconds
    decodes: Size
    tokens: Size
    decoding: Annotated[int, Meta(ge=0, le=MAX_STREAMS + 1)]
    threads: Threads


class Beat(Frame, frozen=True):
    """From the child: native code is computing though there is nothing to show yet."""


ToChild = Load | Generate | Cancel | Pace | Learn | Restore | Save | Unlearn | Measure | Quit
# What answers work, run or errand.
News = Prefill | Delta | Done | Failed | Learned | Saved | Measured
FromChild = Loading | Ready | LoadFailed | News | Effort | Beat


def is_errand(key: str) -> bool:
    """Whether an errand for a prefix has this key; that of a request always holds U+001F."""
    return key.startswith(ERRAND) and "\x1f" not in key


def is_measure(key: str) -> bool:
    """Whether a Measure has this key; see `is_errand`."""
    return key.startswith(MEASURE) and "\x1f" not in key
