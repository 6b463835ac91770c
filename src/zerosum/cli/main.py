"""The command `zerosum`. Commands import what they need when they run, so `--help` is quick."""

from __future__ import annotations

import os
import platform
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from importlib import metadata
from threading import Event
from types import FrameType
from typing import Annotated, Protocol, cast

import typer

from zerosum.cli import (
    anomaly,
    augment,
    bench,
    check,
    colorize,
    design,
    dock,
    doctor,
    evaluate,
    export,
    generate,
    importing,
    impute,
    inpaint,
    inspect,
    latent,
    links,
    list,
    new,
    paint,
    qsar,
    report,
    restyle,
    study,
    train,
    translate,
    tryon,
    tune,
    upscale,
)
from zerosum.cli.output import forgiving, lost
from zerosum.errors import UserError
from zerosum.names import printable
from zerosum.version import __version__

app = typer.Typer(
    name="zerosum",
    help="Train, evaluate, understand and ship generative adversarial networks.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def versions(asked: bool) -> None:
    """Say what a report of a bug must, and end."""
    if asked:
        python, torch = platform.python_version(), metadata.version("torch")
        typer.echo(f"zerosum {__version__}, torch {torch}, Python {python}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=versions,
            is_eager=True,
            help="Show the versions of zerosum, torch and Python.",
        ),
    ] = False,
) -> None:
    """What goes before any command."""


for command in (
    list.list_systems,
    train.train,
    tune.tune,
    generate.generate,
    translate.translate,
    upscale.upscale,
    inpaint.inpaint,
    impute.impute,
    augment.augment,
    tryon.tryon,
    colorize.colorize,
    paint.paint,
    restyle.restyle,
    anomaly.anomaly,
    links.links,
    qsar.qsar,
    dock.dock,
    design.design,
    evaluate.evaluate,
    report.report,
    doctor.doctor,
    inspect.inspect,
    export.export,
    importing.import_weights,
    check.check,
    new.new,
):
    app.command(command.__name__.removesuffix("_systems").removesuffix("_weights"))(command)
app.add_typer(bench.app)
app.add_typer(study.app)
app.add_typer(latent.app)

# Newer typer carries its own copy of click; this is the base of its errors in either case.
ClickException: type[Exception] = typer.BadParameter.__mro__[2]


class Complaint(Protocol):
    """What click's errors can do: name the option that is wrong."""

    def format_message(self) -> str: ...


def main() -> None:
    """Run the command line. Wrong input ends with one line on stderr and status 2.

    A reader of the output that leaves, as `head` does, is no failure.
    """
    _in_utf8()
    _wait_briefly()
    with forgiving():
        status = _run()
        reason = lost()
        if reason:
            complain(f"standard output was cut short: {reason}; files were written all the same")
            status = status or 1
        sys.stderr.flush()
    sys.exit(status)


def _in_utf8() -> None:
    """Start this process anew in Python's UTF-8 mode, where the locale is another.

    In it names of files and classes would be read as other words than under UTF-8, and a run
    would not know its own. Python 3.15 does so by itself. What is printed keeps its encoding.
    """
    if sys.getfilesystemencoding() == "utf-8":
        return
    shown = {"PYTHONIOENCODING": sys.stdout.encoding} if sys.stdout is not None else {}
    command = [sys.executable, "-X", "utf8", *sys.orig_argv[1:]]
    os.execve(sys.executable, command, shown | dict(os.environ))


def _wait_briefly() -> None:
    """Let threads that wait for each other sleep after half a millisecond, before torch is loaded.

    GNU's OpenMP lets them spin for some ten, and where another program has a core they then keep
    each other from it: `rpgan/digits` on two cores fell from 4,918 images/s to 54, and falls to
    722 so, at 5 % less on idle cores. Whoever has set how to wait is left alone.
    """
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = "10000"


def _run() -> int:
    """The status that the command of this process ends with."""
    debug, interrupted = "--debug" in sys.argv, _noted_interrupts()
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        refuse_empty(arguments)
        words = arguments or ["--help"]
        status = _parser()(words, prog_name="zerosum", standalone_mode=False)
    except UserError as error:
        if debug:
            raise
        complain(str(error))
        return 2
    except ClickException as error:
        if debug:
            raise
        complain(f"{cast(Complaint, error).format_message()} (see zerosum --help)")
        return 2
    except (KeyboardInterrupt, typer.Abort):
        complain("interrupted")
        return 130
    except OSError as error:
        if debug:
            raise
        complain(
            f"cannot use {error.filename}: {error.strerror}; mend that, or name another place"
            if error.filename
            else f"the system refused: {error}"
        )
        return 2
    except Exception as error:
        if debug:
            raise
        if interrupted.is_set():
            complain("interrupted")
            return 130
        if out_of_memory(error):
            complain(
                "out of memory: ask for fewer samples at a time (-n, --samples), or set "
                "train.batch_per_device or the sizes of the data and the model lower"
            )
            return 2
        complain(f"unexpected {type(error).__name__}: {error} (a bug; --debug shows where)")
        return 1
    return status if isinstance(status, int) else 0


@cache
def _parser() -> Callable[..., object]:
    """What reads the words; made of all commands' signatures, so once in a process."""
    return typer.main.get_command(app)


def _noted_interrupts() -> Event:
    """What is set by a Ctrl-C, beside its raising KeyboardInterrupt.

    A library that is stopped while it is imported may hide it and fail later in another way.
    """
    came = Event()

    def note(signum: int, frame: FrameType | None) -> None:
        came.set()
        raise KeyboardInterrupt

    # A caller's own way stays, as does that of a shell which has it ignored.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        with suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGINT, note)
    return came


def refuse_empty(arguments: Sequence[str]) -> None:
    """Refuse an option that is given nothing, as by an unset variable: "" is a path to here.

    Raises:
        UserError: One is.
    """
    for before, word in zip(["", *arguments], arguments):
        name, equals, value = word.partition("=")
        option = name.startswith("-") and bool(equals) and not value
        if not word or option:
            what = name if option else before if before.startswith("-") else "an argument"
            raise UserError(f"{what} is empty: give it a value, or leave it out")


def out_of_memory(error: Exception) -> bool:
    """Whether the system or a device had no memory left; torch says so in words."""
    words = ("out of memory", "can't allocate memory", "Unable to allocate")
    return isinstance(error, MemoryError) or any(one in str(error) for one in words)


def complain(message: str) -> None:
    """One line on stderr; in a run of several processes the first one speaks."""
    if os.environ.get("RANK", "0") == "0":
        print("zerosum: " + printable(" ".join(message.split())), file=sys.stderr)
