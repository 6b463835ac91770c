"""`zerosum study`: ask people whether images are real."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from zerosum.limits import LARGEST_CLOCK, LARGEST_SEED


class RunFirst(TyperGroup):
    """Takes `study RUN` for `study make RUN`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["make", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="study",
    cls=RunFirst,
    help="Ask people whether images are real or generated: make, serve and score a study.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def make(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run or exported model.")],
    out: Annotated[Path, typer.Option(help="Folder of the study.", show_default=False)],
    real: Annotated[
        str | None,
        typer.Option(help="Real images: folder, archive or named set.  [default: held-out ones]"),
    ] = None,
    images: Annotated[
        int,
        typer.Option(min=1, max=LARGEST_CLOCK, help="Real images, and as many generated ones."),
    ] = 50,
    checks: Annotated[
        int, typer.Option(min=0, max=10_000, help="Attention checks: images of noise.")
    ] = 4,
    milliseconds: Annotated[
        int,
        typer.Option(
            min=0, max=3_600_000, help="Show each image so long; 0 until it is answered."
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the images.")] = 0,
    module: Annotated[
        str | None, typer.Option(help="Module or .py file of a model of your own.")
    ] = None,
) -> None:
    """Make a study of a run: one page to show to people, and the key to keep.

    Example: zerosum study runs/demo --out study
    """
    from zerosum.pipelines.study import make as write

    page = write(
        run,
        out,
        real=real,
        images=images,
        checks=checks,
        milliseconds=milliseconds,
        seed=seed,
        module=module,
    )
    print(f"page       {page}  (send it, or: zerosum study serve {out})")
    print(f"key        {out / 'key.json'}  (keep it: it says which images are real)")
    print(f"answers    put the files that raters save into {out / 'answers'}")
    print(f"then       zerosum study score {out}")


@app.command()
def serve(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="Folder of a study.")],
    host: Annotated[
        str, typer.Option(help="127.0.0.1: this machine alone; 0.0.0.0: the network.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
) -> None:
    """Show a study to browsers and collect the answers, until Ctrl-C.

    Example: zerosum study serve study --port 8080
    """
    from zerosum.pipelines.study import Server

    with Server(study, host, port) as server:
        print(f"serving    {server.address}  (Ctrl-C ends it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print(f"answers are in {study / 'answers'}")


@app.command("score")
def show(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="Folder of a study.")],
    json: Annotated[Path | None, typer.Option("--json", help="Write the scores here too.")] = None,
) -> None:
    """Say how often people erred, with intervals over people.

    Example: zerosum study score study
    """
    from json import dumps

    from zerosum.files import must_be_json, write_text
    from zerosum.pipelines.study import score

    must_be_json(json)
    found = score(study)
    rows: dict[str, Any] = {
        "errors (HYPE; 50 % is guessing)": found.hype,
        "generated taken for real": found.on_generated,
        "real taken for generated": found.on_real,
    }
    if json is not None:
        tree: dict[str, Any] = {
            name: {"value": one.value, "interval": one.interval} for name, one in rows.items()
        }
        tree |= {"raters": found.raters, "answers": found.answers, "left out": found.left_out}
        write_text(json, dumps(tree, indent=1) + "\n")
    for name, one in rows.items():
        assert one.interval is not None
        low, high = one.interval
        print(f"{name:<32}{100 * one:6.1f} %  [{100 * low:.1f}, {100 * high:.1f}]")
    print(
        f"{found.raters} raters, {found.answers} answers, median {found.seconds:.1f} s; "
        "95 % intervals over raters"
        if found.raters > 1
        else f"1 rater, {found.answers} answers, median {found.seconds:.1f} s; 95 % intervals "
        "that take answers for independent: ask more people"
    )
    if found.left_out:
        print(f"left out (failed attention checks): {', '.join(found.left_out)}")
