"""The command `zerosum`. Commands import what they need when they run, so `--help` is quick."""

from __future__ import annotations

import os
import sys
from typing import Protocol, cast

import typer

from zerosum.cli import (
    bench,
    check,
    doctor,
    evaluate,
    export,
    generate,
    inspect,
    list,
    new,
    report,
    study,
    train,
)
from zerosum.errors import UserError

app = typer.Typer(
    name="zerosum",
    help="Train, evaluate, understand and ship generative adversarial networks.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    list.list_systems,
    train.train,
    generate.generate,
    evaluate.evaluate,
    report.report,
    doctor.doctor,
    inspect.inspect,
    export.export,
    check.check,
    new.new,
):
    app.command(command.__name__.removesuffix("_systems"))(command)
app.add_typer(bench.app)
app.add_typer(study.app)

# Newer typer carries its own copy of click; this is the base of its errors in either case.
ClickException: type[Exception] = typer.BadParameter.__mro__[2]


class Complaint(Protocol):
    """What click's errors can do: name the option that is wrong."""

    def format_message(self) -> str: ...


def main() -> None:
    """Run the command line. Wrong input ends with one line on stderr and status 2."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        status = app(arguments or ["--help"], prog_name="zerosum", standalone_mode=False)
    except UserError as error:
        if debug:
            raise
        complain(str(error))
        status = 2
    except ClickException as error:
        if debug:
            raise
        complain(f"{cast(Complaint, error).format_message()} (see zerosum --help)")
        status = 2
    except (KeyboardInterrupt, typer.Abort):
        complain("interrupted")
        status = 130
    except BrokenPipeError:  # the reader, such as `head`, has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except OSError as error:
        if debug:
            raise
        complain(
            f"cannot use {error.filename}: {error.strerror}; name a place you may write to"
            if error.filename
            else f"the system refused: {error}"
        )
        status = 2
    except Exception as error:
        if debug:
            raise
        complain(f"unexpected {type(error).__name__}: {error} (a bug; --debug shows where)")
        status = 1
    sys.exit(status if isinstance(status, int) else 0)


def complain(message: str) -> None:
    """One line on stderr; in a run of several processes the first one speaks."""
    if os.environ.get("RANK", "0") == "0":
        print("zerosum: " + " ".join(message.split()), file=sys.stderr)
