"""python -m bench: how fast, how small and how good `vod encode` is, against others and against what is possible."""

import argparse
import shlex
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from bench.contestants import SINGLES, TITLES, Field
from bench.ladder import read_ladder
from bench.machine import QUIET_LOAD, find_programs, look_at_machine
from bench.process import BenchError, Runner
from bench.quality import measure_quality
from bench.report import print_report, shown, write_report
from bench.source import REPEATS, make_long_source, make_source
from bench.targets import Memory, Results, Round, judge

FOLDER = Path(__file__).parent
WORK = FOLDER / ".work"

#: Measure -> the contestants it needs, beside vod.
MEASURES = {
    "sequential": ("sequential",),
    "bound": (),
    "shaka": ("shaka",),
    "single": SINGLES,
    "vmaf": SINGLES,
    "first": (),
    "memory": (),
    "python": (),
}

#: Measures that need no repetition: their figures do not depend on how busy the machine is.
ONCE = {"vmaf", "memory"}

QUICK_ROUNDS, QUICK_SECONDS = 1, 12

#: Columns of a table that goes into a file.
LOG_WIDTH = 150

#: A command may take so long, seconds: START_S, and SLOWNESS for each second of video.
START_S, SLOWNESS = 120.0, 20.0


def main() -> int:
    """Measure, print, write; 0 even when a target is missed, 1 when the figures mean nothing."""
    options = _parser().parse_args()
    console = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else LOG_WIDTH)
    try:
        _bench(console, options)
    except BenchError as exc:
        Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True).print(
            f"bench: {exc}", style="red"
        )
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measures vod encode against other ways to make the same ladder, in interleaved rounds, and "
        "judges the targets. bench/README.md says what each measure is. A full run takes about an hour on two "
        "cores and wants the machine for itself; it writes bench/results/, any other run bench/.work/results/.",
    )
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="of everybody once (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=int, default=60, metavar="S", help="length of the clip (default: %(default)s)"
    )
    parser.add_argument(
        "--only", nargs="+", choices=MEASURES, metavar="NAME", help=f"some measures: {', '.join(MEASURES)}"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"{QUICK_ROUNDS} round on {QUICK_SECONDS} s: to see that it works; the figures mean little",
    )
    parser.add_argument(
        "--vod",
        type=shlex.split,
        default=[str(Path(sys.executable).with_name("vod"))],
        metavar="COMMAND",
        help="the vod to measure (default: the one beside this Python)",
    )
    return parser


def _bench(console: Console, options: argparse.Namespace) -> None:
    rounds, seconds = (QUICK_ROUNDS, QUICK_SECONDS) if options.quick else (options.rounds, options.seconds)
    measures = set(options.only or MEASURES)
    if rounds < 1 or seconds < QUICK_SECONDS:
        raise BenchError(f"At least 1 round and {QUICK_SECONDS} s, please: shorter clips have no two segments.")
    if measures <= ONCE:
        rounds = 0 if measures == {"memory"} else 1
    WORK.mkdir(exist_ok=True)
    runner = Runner(folder=WORK, timeout_s=START_S + SLOWNESS * seconds)
    programs = find_programs()
    machine = look_at_machine(runner, programs)
    if machine.load > QUIET_LOAD:
        console.print(f"[yellow]The load is {machine.load:.2f}: somebody else is using this machine.[/yellow]")
    began = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[dim]{(time.monotonic() - began) / 60:5.1f} min[/dim]  {text}")

    say(f"the clip of {seconds} s")
    source = make_source(runner, programs.ffmpeg, seconds)
    ladder = read_ladder(runner, options.vod, source)
    if not ladder.trusted:
        console.print(f"The ladder comes from {ladder.origin}", style="red", markup=False)
    field = Field(
        runner=runner,
        ffmpeg=programs.ffmpeg,
        ffprobe=programs.ffprobe,
        vod=options.vod,
        source=source,
        seconds=seconds,
        ladder=ladder,
        cores=machine.cores,
    )
    results = Results(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        machine=machine,
        seconds=seconds,
        settings={
            "ladder": f"from {ladder.origin}",
            "x264": f"{ladder.preset}, high, GOP {ladder.gop_frames} frames",
            "segments": f"{ladder.segment_s:g} s",
            "sound": f"AAC {ladder.audio_bitrate_bps // 1000} kb/s",
            "rungs": "; ".join(
                f"{rung.width_px}x{rung.height_px} CRF {rung.crf:g} up to {rung.max_bitrate_bps / 1e6:g} Mb/s"
                for rung in ladder.rungs
            ),
        },
        commands={},
    )
    names = _names(measures)
    if "first" in measures:
        results.start_s = runner.run([*options.vod, "--help"]).wall_s
    for number in range(1, rounds + 1):
        results.rounds.append(_round(field, names, number, with_bound="bound" in measures, say=say))
        # The slower of the two single commands has had its chance: the rounds take long enough.
        names = [name for name in names if name not in SINGLES or name == results.single]
        # What is measured so far is kept, whatever happens to the rest of the hour.
        write_report(results, [target for target in judge(results) if target.name in measures - ONCE], WORK / "results")
    if rounds:
        results.commands = {
            name: [shown(argv) for argv in field.commands(name, field.fresh_folder("shown"))] for name in names
        }
    if "vmaf" in measures:
        say("VMAF")
        scored = [name for name in names if name not in SINGLES or name == results.single]
        results.quality = measure_quality(field, scored, results.single)
    if "memory" in measures:
        say("memory")
        results.memory = _memory(field, programs.ffmpeg)
    targets = [target for target in judge(results) if target.name in measures]
    console.print()
    print_report(console, results, targets)
    partial = options.quick or options.only or not ladder.trusted
    for path in write_report(results, targets, (WORK if partial else FOLDER) / "results"):
        console.print(f"wrote {path.relative_to(FOLDER.parent)}")


def _names(measures: set[str]) -> list[str]:
    """Contestants in the order in which they run."""
    needed = {"vod"}.union(*(MEASURES[measure] for measure in measures))
    return [name for name in TITLES if name in needed]


def _round(field: Field, names: list[str], number: int, *, with_bound: bool, say: Callable[[str], None]) -> Round:
    """Everybody once."""
    runs = {}
    for name in names:
        runs[name] = run = field.run(name)
        say(f"round {number}: {TITLES[name]} {run.wall_s:.2f} s, {run.cpu_s:.2f} CPU s")
    bound = field.bound() if with_bound else None
    if bound:
        say(f"round {number}: lower bound {bound.wall_s:.2f} s, {bound.cpu_s:.2f} CPU s")
    return Round(runs=runs, bound=bound)


def _memory(field: Field, ffmpeg: str) -> Memory:
    long_s = field.seconds * REPEATS
    patient = Runner(folder=field.runner.folder, timeout_s=START_S + SLOWNESS * long_s)
    long = make_long_source(patient, ffmpeg, field.seconds)
    peaks = [
        patient.memory(field.vod_command(source, field.fresh_folder("memory"), "--jobs", "2"))
        for source in (field.source, long)
    ]
    return Memory(short=peaks[0], long=peaks[1], short_s=field.seconds, long_s=long_s)


if __name__ == "__main__":
    sys.exit(main())
