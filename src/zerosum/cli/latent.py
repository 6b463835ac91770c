"""`zerosum latent`: look into a generator's latent space."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from zerosum.cli.spaces import check_out, numbers_of, open_space, seeds_of, write_pictures
from zerosum.limits import LARGEST_CLOCK, LARGEST_SEED

app = typer.Typer(
    name="latent",
    help="Look into a generator's latent space: walk, mix, project, find directions, edit, move.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Run = Annotated[Path, typer.Argument(help="Folder of a run or of an exported model.")]
Out = Annotated[Path, typer.Option(help="Where to write.", show_default=False)]
Seeds = Annotated[str, typer.Option(help="Seeds of pictures, such as 0-7 or 3,5,12.")]
Named = Annotated[
    Literal["auto", "z", "w"],
    typer.Option("--space", help="Codes (z) or styles (w); auto takes styles if there are some."),
]
Truncation = Annotated[
    float, typer.Option(min=-2.0, max=2.0, help="Of styles: 1 as they are, 0 all alike.")
]
Layers = Annotated[str, typer.Option(help="Such as 0-3,6, or coarse, middle, fine, all.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
Module = Annotated[str | None, typer.Option(help="Module or .py file of a model of your own.")]
Frames = Annotated[int, typer.Option(min=1, max=100_000, help="Frames from one to the next.")]
PerSecond = Annotated[int, typer.Option(min=1, max=240, help="Frames per second.")]
Label = Annotated[
    str | None, typer.Option(help="Class of the pictures, for systems that take one.")
]


@app.callback()
def group() -> None:
    """Look into a generator's latent space.

    Example: zerosum latent walk runs/demo --out walk.gif
    """


@app.command()
def walk(
    run: Run,
    out: Out,
    seeds: Seeds = "0-4",
    frames: Frames = 24,
    way: Annotated[
        Literal["auto", "linear", "spherical"],
        typer.Option(help="auto: straight in w, on great circles in z."),
    ] = "auto",
    loop: Annotated[bool, typer.Option("--loop", help="End where it began.")] = False,
    space: Named = "auto",
    truncation: Truncation = 1.0,
    label: Label = None,
    fps: PerSecond = 24,
    device: Device = "auto",
    module: Module = None,
) -> None:
    """Film a walk through pictures: .mp4, .gif, a folder, or a .png sheet of ten to a row.

    Example: zerosum latent walk runs/faces --seeds 0-5 --loop --out walk.mp4
    """
    from zerosum.pipelines.latent import walk as way_of

    sheet = out.suffix.lower() == ".png"
    check_out(out, film=not sheet)
    found = open_space(run, space, truncation, label, device, module)
    if way == "auto":
        way = "linear" if found.name == "w" else "spherical"
    points = way_of(found.points(seeds_of(seeds)), frames, way, loop=loop)
    write_pictures(found.pictures(points), out, fps, columns=10)


@app.command()
def mix(
    run: Run,
    out: Out,
    rows: Annotated[str, typer.Option(help="Seeds of the pictures that are changed.")] = "0-3",
    columns: Annotated[str, typer.Option(help="Seeds of those that give styles.")] = "10-15",
    layers: Layers = "coarse",
    truncation: Truncation = 1.0,
    label: Label = None,
    device: Device = "auto",
    module: Module = None,
) -> None:
    """Mix styles: a grid of rows' pictures that take some layers' styles from the columns'.

    Example: zerosum latent mix runs/faces --layers fine --out mixed.png
    """
    import torch

    from zerosum.pipelines.latent import mix as mixed
    from zerosum.pipelines.latent import parse_layers

    check_out(out)
    found = open_space(run, "w", truncation, label, device, module)
    down, across = found.points(seeds_of(rows)), found.points(seeds_of(columns))
    chosen = parse_layers(layers, down.shape[1])
    cells = mixed(down, across, chosen)
    pictures = found.pictures(cells.flatten(0, 1)).unflatten(0, cells.shape[:2])
    left, top = found.pictures(down), found.pictures(across)
    first = torch.cat([torch.ones_like(top[:1]), top])
    others = torch.cat([left[:, None], pictures], dim=1).flatten(0, 1)
    write_pictures(torch.cat([first, others]), out, columns=len(across) + 1)


@app.command()
def truncate(
    run: Run,
    out: Out,
    seeds: Seeds = "0-7",
    values: Annotated[str, typer.Option(help="Truncations, one row each.")] = "0,0.3,0.5,0.7,1",
    label: Label = None,
    device: Device = "auto",
    module: Module = None,
) -> None:
    """Show what truncation does: a row of pictures for each value.

    Example: zerosum latent truncate runs/faces --out truncated.png
    """
    import torch

    check_out(out)
    found = open_space(run, "w", 1.0, label, device, module)
    points, mean = found.points(seeds_of(seeds)), found.styled.mean_style()
    rows = [found.pictures(mean.lerp(points, one)) for one in numbers_of(values)]
    write_pictures(torch.cat(rows), out, columns=len(points))


@app.command()
def project(
    run: Run,
    picture: Annotated[Path, typer.Argument(help="The picture to be found.")],
    out: Out,
    kind: Annotated[
        Literal["auto", "z", "w", "w+"],
        typer.Option(
            help="One style (w), one per layer (w+), or a code (z); auto takes w if there is one."
        ),
    ] = "auto",
    steps: Annotated[int, typer.Option(min=1, max=LARGEST_CLOCK, help="Of the point.")] = 500,
    tune: Annotated[
        int, typer.Option(min=0, max=LARGEST_CLOCK, help="Of the generator after it.")
    ] = 0,
    distance: Annotated[
        Literal["auto", "perceptual", "pixels"],
        typer.Option(help="auto: perceptual where the classifier's weights are, else pixels."),
    ] = "auto",
    to: Annotated[
        Path | None, typer.Option(help="Export the tuned model into this folder.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of start and noise.")] = 0,
    label: Label = None,
    device: Device = "auto",
    module: Module = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Find the point whose picture is nearest to a given one; write both, side by side.

    Beside OUT stands its point, as FILE.safetensors.

    Example: zerosum latent project runs/faces me.jpg --kind w+ --tune 300 --out found.png
    """
    import torch
    from safetensors.torch import save_file

    from zerosum.errors import UserError
    from zerosum.files import atomic, must_be_empty
    from zerosum.modalities.images.pictures import to_pictures
    from zerosum.pipelines import export
    from zerosum.pipelines.latent import Projector
    from zerosum.pipelines.pictures.taken import take
    from zerosum.progress import ProgressBar

    check_out(out)
    if to is not None:
        if not tune:
            raise UserError("--to exports the tuned model: give --tune too")
        must_be_empty(to, "--to")
    name: Literal["auto", "z", "w"] = "w" if kind == "w+" else kind
    found = open_space(run, name, 1.0, label, device, module)
    projector = Projector(found, kind, distance)
    taken = take(picture)
    given = to_pictures(taken.seen(1 if taken.grey else 3))[0]
    target, bar = projector.target(given), ProgressBar(quiet, "steps")
    try:
        result = projector.project(
            target,
            steps=steps,
            tune=tune,
            seed=seed,
            on_progress=lambda at, total: bar("projecting", at, total),
        )
    finally:
        bar.close()
    write_pictures(torch.cat([target.cpu(), result.picture]), out, columns=2)
    with atomic(out.with_suffix(".safetensors")) as partial:
        save_file({"points": result.point.contiguous().cpu()}, partial, {"kind": projector.kind})
    print(f"PSNR {result.psnr:.2f} dB (given left, found right)")
    if to is not None:
        made = result.generator
        export.write(made.game, made.recipe, made.codec, to, run / "scores.jsonl", critic=False)
        print(f"tuned model written to {to}")


@app.command()
def directions(
    run: Run,
    out: Out,
    method: Annotated[
        Literal["ganspace", "sefa"], typer.Option(help="How, where no attribute is given.")
    ] = "ganspace",
    count: Annotated[int, typer.Option(min=1, max=100_000, help="How many directions.")] = 10,
    attribute: Annotated[
        str | None,
        typer.Option(
            help="One direction towards more of this: brightness, contrast, saturation, warmth, "
            "or a FILE.csv with the columns seed and score."
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option(min=50, max=LARGEST_CLOCK, help="Points that are looked at.")
    ] = 2_000,
    layers: Layers = "all",
    space: Named = "auto",
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the points.")] = 0,
    label: Label = None,
    device: Device = "auto",
    module: Module = None,
) -> None:
    """Find directions along which pictures change; `zerosum latent edit` goes along them.

    Example: zerosum latent directions runs/faces --out directions.safetensors
    """
    from zerosum.errors import UserError
    from zerosum.pipelines import latent
    from zerosum.pipelines.latent.directions import read_scores

    if out.suffix != ".safetensors":
        raise UserError(f"{out}: directions are written to a .safetensors file")
    found = open_space(run, space, 1.0, label, device, module)
    if attribute is not None:
        if attribute.endswith(".csv"):
            seeds, scores = read_scores(Path(attribute))
            points = found.points(seeds)
        else:
            points = found.many(samples, seed)
            scores = latent.measured(found.pictures(points), attribute)
        made, right = latent.boundary(found, points, scores, name=attribute)
        made.save(out)
        print(f"1 direction towards more {attribute}, {right:.0%} right on points held out")
        return
    if method == "sefa":
        numbers = latent.parse_layers(layers, len(found.styled.style_weights()))
        made = latent.sefa(found, count, layers=numbers)
    else:
        made = latent.ganspace(found, count, samples=samples, seed=seed)
    made.save(out)
    shown = ", ".join(f"{float(one):.3g}" for one in made.spread[:10])
    print(f"{count} directions written to {out}; deviations along them: {shown}")


@app.command()
def edit(
    run: Run,
    directions: Annotated[Path, typer.Argument(help="What `latent directions` wrote.")],
    out: Out,
    number: Annotated[int, typer.Option(min=0, max=100_000, help="Of the direction.")] = 0,
    strengths: Annotated[str, typer.Option(help="How far, in deviations.")] = "-3,-2,-1,0,1,2,3",
    seeds: Seeds = "0-4",
    layers: Layers = "all",
    truncation: Truncation = 1.0,
    label: Label = None,
    device: Device = "auto",
    module: Module = None,
) -> None:
    """Go along a direction: a row for each picture, a column for each strength.

    Example: zerosum latent edit runs/faces directions.safetensors --number 2 --out edited.png
    """
    from zerosum.pipelines.latent import Directions, parse_layers

    check_out(out)
    given = Directions.load(directions)
    name = cast('Literal["z", "w"]', given.space)
    found = open_space(run, name, truncation if name == "w" else 1.0, label, device, module)
    points, steps = found.points(seeds_of(seeds)), numbers_of(strengths)
    chosen = parse_layers(layers, points.shape[1]) if name == "w" and layers != "all" else None
    moved = given.edited(points, number, steps, chosen)
    write_pictures(found.pictures(moved.flatten(0, 1)), out, columns=len(steps))


@app.command()
def move(
    run: Run,
    out: Out,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the picture.")] = 0,
    motion: Annotated[
        Literal["shift", "turn", "both"], typer.Option(help="What is done to the picture.")
    ] = "both",
    reach: Annotated[
        float, typer.Option(min=0.0, max=4.0, help="Radius of the shift, of the shorter side.")
    ] = 0.25,
    frames: Frames = 48,
    truncation: Truncation = 1.0,
    label: Label = None,
    fps: PerSecond = 24,
    device: Device = "auto",
    module: Module = None,
) -> None:
    """Film a picture whose input is moved and turned, for stylegan3.

    Example: zerosum latent move runs/faces --motion shift --out moved.mp4
    """
    from zerosum.pipelines.latent import path

    sheet = out.suffix.lower() == ".png"
    check_out(out, film=not sheet)
    found = open_space(run, "w", truncation, label, device, module)
    point = found.points([seed])
    transforms = path(frames, motion, reach=reach)
    pictures = found.pictures(point.expand(frames, *point.shape[1:]), transforms)
    write_pictures(pictures, out, fps, columns=8)


@app.command()
def measure(
    run: Run,
    samples: Annotated[
        int, typer.Option(min=10, max=LARGEST_CLOCK, help="Pairs of points, and pictures moved.")
    ] = 200,
    space: Named = "auto",
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the points.")] = 0,
    label: Label = None,
    device: Device = "auto",
    module: Module = None,
) -> None:
    """Say how even the space is (path length) and, for stylegan3, how well pictures move (EQ-T).

    Example: zerosum latent measure runs/faces
    """
    from zerosum.core.styles import Movable
    from zerosum.modalities.images.perceptual import available
    from zerosum.pipelines.latent import equivariance, path_length

    found = open_space(run, space, 1.0, label, device, module)
    by = "EfficientNet-Lite0" if available() else "pixels"
    rows = {f"path length in {found.name}, by {by}": path_length(found, samples, seed)}
    if found.name == "w" and isinstance(found.game, Movable):
        rows |= {f"{name}, dB": one for name, one in equivariance(found, samples, seed).items()}
    for name, one in rows.items():
        low, high = one.interval or (one.value, one.value)
        print(f"{name:<45}{one.value:10.4g}  [{low:.4g}, {high:.4g}]")
