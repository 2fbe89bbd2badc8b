"""The command line: one entry for people, one place where an error becomes words and an exit code."""

import io
import os
import signal
import sys
import threading
import traceback
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from vod.cli import show
from vod.errors import ConfigError, FFmpegError, InputError, Interrupted
from vod.ffmpeg.binaries import find_binaries
from vod.local.folder import default_jobs, encode_file, open_source, plan_file
from vod.media.plan import dump_json
from vod.media.profile import Profile, default_profile, parse_profile

#: Exit codes, as the help says.
EXIT_FAILED, EXIT_USAGE, EXIT_INPUT, EXIT_INTERRUPTED = 1, 2, 3, 130

#: Set when SIGINT or SIGTERM asks to stop.
STOP = threading.Event()

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help="A file in, an adaptive stream out.\n\n"
    "Exit codes: 0 done; 1 failed, trying again may help; 2 a wrong argument or setting; "
    "3 the file itself cannot be encoded; 130 interrupted.",
)

FileArgument = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="A video or audio file: MP4, MOV, MKV, WebM, TS, AVI …", show_default=False),
]
ProfileOption = Annotated[
    Path | None,
    typer.Option(
        "--profile",
        metavar="FILE",
        help="Ladder and quality as TOML; `vod profile` prints the default one to start from.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for machines.")]


@app.command()
def encode(
    file: FileArgument,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Folder for the stream; made if need be. One video a folder.",
            show_default=False,
        ),
    ],
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, max=256, help="Chunks encoded at once.", show_default="one per core"),
    ] = None,
    profile: ProfileOption = None,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Put this video in the place of another one in DIR, once it is ready."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Encode FILE into an HLS stream: DIR/index.m3u8 plays it.

    The film is cut into chunks that are encoded side by side. An interrupted run goes on where it was: type the
    same command again. Nothing points at the stream before all of it is there.

        vod encode holiday.mov --output out/holiday
    """
    binaries = find_binaries()
    source = open_source(file)
    chosen = _profile(profile)
    with show.EncodeProgress(quiet=json) as progress:
        outcome = encode_file(
            binaries,
            source,
            output,
            chosen,
            jobs=jobs or default_jobs(),
            replace=replace,
            listener=progress,
            stop=STOP,
        )
    if json:
        _print_json(show.outcome_document(outcome, output))
    else:
        show.print_outcome(outcome, output, file)


@app.command()
def plan(file: FileArgument, profile: ProfileOption = None, json: JsonOption = False) -> None:
    """Say what `vod encode` would do with FILE, without encoding.

    Prints what the file is, the ladder with the reason for each rung, segments, chunks, the predicted cost, and
    the FFmpeg commands, ready to paste into a shell.

        vod plan holiday.mov
        vod plan holiday.mov --json | jq '.plan.video.renditions[].name'
    """
    binaries = find_binaries()
    source = open_source(file)
    made = plan_file(binaries, source, _profile(profile), stop=STOP)
    if json:
        _print_json(show.plan_document(made, binaries, source.url))
    else:
        show.print_plan(made, binaries, source.url)


@app.command()
def profile() -> None:
    """Print the default profile, a documented TOML file to change and give to --profile.

    vod profile > my.toml
    """
    sys.stdout.write(resources.files("vod.media").joinpath("default_profile.toml").read_text())


def _profile(path: Path | None) -> Profile:
    if path is None:
        return default_profile()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        raise ConfigError(
            f"The profile {path} cannot be read: {exc.strerror}. `vod profile` prints one to start from."
        ) from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"The profile {path} is not text in UTF-8. `vod profile` prints one to start from.") from exc
    return parse_profile(text, str(path))


def _print_json(document: object) -> None:
    sys.stdout.write(dump_json(document).decode() + "\n")


def main() -> None:
    """Run the command line; never a traceback for what is not a bug."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a file name may be no text
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: STOP.set())
    try:
        app(standalone_mode=True)
    except InputError as exc:
        _fail(f"{exc.sentence} {exc.remedy}", EXIT_INPUT)
    except ConfigError as exc:
        _fail(str(exc), EXIT_USAGE)
    except FFmpegError as exc:
        _fail(f"{exc}\nWhat is done is kept: the same command goes on from there.", EXIT_FAILED)
    except Interrupted:
        _fail("Interrupted. What is done is kept: the same command goes on from there.", EXIT_INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has seen enough: `… | head`
        sys.exit(EXIT_FAILED)
    except Exception as exc:  # the last door: a bug, said in one line
        if os.environ.get("VOD_DEBUG"):
            traceback.print_exc()
        _fail(
            f"This is a bug in vod: {type(exc).__name__}: {exc}. VOD_DEBUG=1 shows where; please report it.",
            EXIT_FAILED,
        )


def _fail(text: str, code: int) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True, markup=False).print(f"vod: {text}", style="red")
    sys.exit(code)


if __name__ == "__main__":
    main()
