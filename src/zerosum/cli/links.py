"""`zerosum links`: which pairs of nodes of a graph are likely edges."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def links(
    run: Annotated[Path, typer.Argument(help="Folder of a run or of an exported model.")],
    pairs: Annotated[
        Path | None, typer.Option(help="Pairs to score, two names of nodes a line.")
    ] = None,
    top: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="How many new pairs to propose.")
    ] = 100,
    out: Annotated[Path, typer.Option(help="The table: source, target, score.")] = Path(
        "links.csv"
    ),
    option: Annotated[
        list[str] | None,
        typer.Option("--option", help="A setting of scoring, such as by=critic."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
) -> None:
    """Propose edges that are missing, the likeliest first, and test on edges that were kept aside.

    Example: zerosum links runs/friends --top 50 --out links.csv
    """
    from zerosum.cli.generate import pairs as settings
    from zerosum.files import must_be_file
    from zerosum.pipelines.links import LinkPredictor

    must_be_file(out, "--out")
    predictor = LinkPredictor.load(run, device=device, options=settings(option or [], "--option"))
    if pairs is not None:
        chosen = predictor.read(pairs)
        scores = predictor.scores(chosen)
    else:
        tested = predictor.test()
        for name, judged in tested.scores.items():
            print(", ".join([f"{name}: AUC {judged['auc']}", f"AP {judged['ap']}"]))
        print(
            f"[95 % interval] {tested.held:,} held-out edges against {tested.against:,} pairs "
            "that are none"
        )
        chosen, scores = predictor.proposed(top)
    predictor.write(chosen, scores, out)
    print(f"{len(chosen):,} pairs written to {out}")
