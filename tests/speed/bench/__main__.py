"""The command: ``python -m speed.bench``."""

import signal
import sys
from pathlib import Path
from typing import Final

import click
import msgspec

from speed.bench import page, plots
from speed.bench.cases import MOST_OF_NGIRCD, QUICK, chosen, everything
from speed.bench.results import CaseResult, Results
from speed.bench.run import run
from speed.bench.table import text

_SECONDS: Final = 2.0
_QUICK_SECONDS: Final = 1.0
_ROUNDS: Final = 5


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="A few cases, for a short time.")
@click.option("--only", help="Cases to measure, as names or patterns: 'fanout-1000-* private-*'.")
@click.option("--seconds", type=float, help="Seconds of load, each.")
@click.option("--rounds", type=int, help="How often each is measured; the sides take turns.")
@click.option("--out", type=click.Path(path_type=Path), help="A folder for the results.")
@click.option("--list", "listing", is_flag=True, help="Show the cases.")
def main(
    quick: bool,
    only: str | None,
    seconds: float | None,
    rounds: int | None,
    out: Path | None,
    listing: bool,
) -> None:
    """Measure the service and its peers on this machine."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    if listing:
        for case in everything():
            click.echo(f"{case.name:<22} {case.title}")
        return
    try:
        cases = chosen(only or (" ".join(QUICK) if quick else "*"))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    results = run(
        cases,
        seconds or (_QUICK_SECONDS if quick else _SECONDS),
        rounds or (1 if quick else _ROUNDS),
        _show,
    )
    for why in results.missing:
        click.echo(f"not measured: {why}")
    click.echo(f"{results.seconds:.0f} s in all")
    if out is not None:
        _write(results, out)
        click.echo(f"results: {out.resolve()}")


def _write(results: Results, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_bytes(msgspec.json.format(msgspec.json.encode(results)) + b"\n")
    page.write(results, plots.draw(results, out), MOST_OF_NGIRCD, out)


def _show(case: CaseResult) -> None:
    click.echo(text(case))


if __name__ == "__main__":
    main()
