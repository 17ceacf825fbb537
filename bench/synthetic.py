"""Write made-up GGUF models: true shapes, real block formats, random weights.

They cost a token exactly what a trained model of the shape and mix costs, and they need no
download. `python -m bench.synthetic --shape overhead` writes one into the cache.
"""

from __future__ import annotations

import argparse
import os
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import gguf
import msgspec
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from bench import vocabulary
from bench.blocks import BlockSource
from bench.metadata import add_geometry, add_vocabulary
from bench.mixes import MIXES, Mix
from bench.shapes import SHAPES, Shape, bits_per_weight, plan
from bench.tensors import F32, Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

RECIPE: Final = 3  # raise it when the bytes of a file change, so that cached ones are not reused
EMBEDDING_DEVIATION: Final = 1.0  # the first norm rescales it; f16 block scales hold it well
DEFAULT_MIX: Final = "2.70"


def write(
    out: Path,
    shape: Shape,
    mix: Mix,
    *,
    seed: int = 0,
    advance: Callable[[int], None] | None = None,
) -> None:
    """Write a model file; the same arguments give the same bytes.

    Args:
        out: Replaced at the end, never half written.
        shape: Geometry.
        mix: A quantisation type for each kind of tensor.
        seed: Of every random bit.
        advance: Told the bytes of each tensor once it is written.
    """
    words = vocabulary.make(shape.vocabulary)
    tensors = plan(shape, mix)
    rng = np.random.default_rng(seed)
    source = BlockSource(rng)
    part = out.with_name(f"{out.name}.part")
    writer = gguf.GGUFWriter(part, shape.architecture)
    add_geometry(writer, shape)
    add_vocabulary(writer, words)
    for tensor in tensors:
        _declare(writer, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in tensors:
        silent = words.specials if tensor.name == "output.weight" else range(0)
        writer.write_tensor_data(_weights(tensor, source, rng, silent))
        if advance is not None:
            advance(tensor.size)
    writer.close()
    part.replace(out)


def cached(name: str, mix: str = DEFAULT_MIX, *, layers: int | None = None) -> Path:
    """The cached model of a named shape; written first, with a progress bar, if it is missing."""
    shape = SHAPES[name]
    shape = msgspec.structs.replace(shape, layers=layers or shape.layers)
    key = msgspec.json.encode((RECIPE, shape, MIXES[mix]))
    digest = blake2b(key, digest_size=4).hexdigest()
    path = cache_folder() / f"{name}-{mix}-v{RECIPE}-{digest}.gguf"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_with_progress(path, shape, MIXES[mix])
    return path


def cache_folder() -> Path:
    """Where made-up models are kept between runs."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "edged" / "bench"


def write_with_progress(out: Path, shape: Shape, mix: Mix, *, seed: int = 0) -> None:
    """Write a model and show on stderr how far it is."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        total = sum(tensor.size for tensor in plan(shape, mix))
        task = progress.add_task(out.name, total=total)
        write(out, shape, mix, seed=seed, advance=lambda done: progress.advance(task, done))


def _declare(writer: gguf.GGUFWriter, tensor: Tensor) -> None:
    kind = gguf.GGMLQuantizationType[tensor.kind]
    dtype = np.dtype(np.float32)
    writer.add_tensor_info(tensor.name, tensor.shape, dtype, tensor.size, raw_dtype=kind)


def _weights(
    tensor: Tensor, source: BlockSource, rng: np.random.Generator, silent: range
) -> npt.NDArray[np.uint8] | npt.NDArray[np.float32]:
    """The tensor's numbers; the `silent` rows are zero."""
    if tensor.values:
        return np.resize(np.array(tensor.values, dtype=np.float32), tensor.shape)
    deviation = tensor.shape[-1] ** -0.5
    if tensor.name == "token_embd.weight":
        deviation = EMBEDDING_DEVIATION
    if tensor.kind == F32:
        noise = rng.standard_normal(tensor.shape, dtype=np.float32)
        return cast("npt.NDArray[np.float32]", noise * np.float32(deviation))
    take = source.take_rows if tensor.name == "output.weight" else source.take
    data = take(tensor.kind, tensor.size, deviation)
    if silent:
        # A logit of zero is never the largest of thousands, so no answer ends before its limit.
        row = tensor.size // tensor.shape[0]
        data[silent.start * row : silent.stop * row] = 0
    return data


def main(argv: Sequence[str] | None = None) -> int:
    """Write a model and tell its size."""
    parser = argparse.ArgumentParser(prog="bench.synthetic", description=__doc__)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="overhead")
    parser.add_argument("--mix", choices=sorted(MIXES), default=DEFAULT_MIX)
    parser.add_argument("--out", type=Path, help="a file instead of the cache")
    parser.add_argument("--seed", type=int, default=0, help="of a file given with --out")
    for field in ("layers", "d_model", "experts", "used", "ff", "vocabulary"):
        parser.add_argument(f"--{field.replace('_', '-')}", type=int, help="instead of the shape's")
    options = parser.parse_args(argv)
    shape = _shape(options)
    if options.out is None and shape != SHAPES[options.shape]:
        parser.error("a shape of your own needs --out")
    if options.out is None:
        out = cached(options.shape, options.mix)
    else:
        out = options.out
        write_with_progress(out, shape, MIXES[options.mix], seed=options.seed)
    bits = bits_per_weight(plan(shape, MIXES[options.mix]))
    print(f"{out}: {out.stat().st_size / 1e9:.3f} GB, {bits:.2f} bits per weight")
    return 0


def _shape(options: argparse.Namespace) -> Shape:
    shape = SHAPES[options.shape]
    given = {name: getattr(options, name, None) for name in shape.__struct_fields__}
    return msgspec.structs.replace(shape, **{k: v for k, v in given.items() if v is not None})


if __name__ == "__main__":
    raise SystemExit(main())
