"""`workbench merge`: one merge from an unmodified mergekit YAML."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from rich.markup import escape

from workbench.cli.common import count
from workbench.cli.console import console, working


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb, those of mergekit-yaml where it has the same."""
    parser.add_argument("file", type=Path, metavar="CONFIG", help="a mergekit YAML (merge_method, models, parameters)")
    parser.add_argument("out", type=Path, metavar="OUT", help="new folder for the merged model")
    parser.add_argument(
        "--seed", "--random-seed", type=int, help="seed of a method that draws, where the file has none (default 0)"
    )
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, or another device of torch")
    parser.add_argument("--cuda", dest="device", action="store_const", const="cuda", help="the same as --device cuda")
    parser.add_argument("--threads", type=count, default=os.cpu_count() or 1, help="threads on the CPU (default: all)")
    parser.add_argument("--out-shard-size", type=size, default="5GB", metavar="SIZE", help="such as 5GB (default)")


def size(text: str) -> int:
    """Bytes of a size such as 5GB, 500M or 1000000."""
    units = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
    number = text.upper().removesuffix("B")
    factor = units.get(number[-1:], 1)
    try:
        return max(1, int(float(number.rstrip("KMGT")) * factor))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no size. Write it like 5GB or 500M.") from None


def main(options: argparse.Namespace) -> int:
    """Merge; the folder appears whole or not at all."""
    from workbench.merging.standalone import merge_file
    from workbench.merging.stream import Options

    how = Options(options.threads, options.device, options.out_shard_size)
    with working(f"merging into {options.out.name}") as progress:
        spec = merge_file(options.file, options.out, options.seed, how, progress)
    if spec.seed is not None:
        console.print(f"seed {spec.seed}", style="dim")
    console.print(f"[green]✔[/] {escape(str(options.out))}", soft_wrap=True)
    return 0
