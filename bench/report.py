"""What people read: a table on the screen, and the same as Markdown and JSON for the repository."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import msgspec
from rich.console import Console
from rich.table import Table

from bench.contestants import TITLES
from bench.targets import Results, Target, vod_parts_s

#: Rows of text; the first is the head.
Rows = list[list[str]]


def print_report(console: Console, results: Results, targets: Sequence[Target]) -> None:
    """Targets, contestants, and where the time went for each target that was missed."""
    table = Table(title="Targets", title_justify="left")
    for heading in _target_rows([])[0]:
        table.add_column(heading)
    for target, row in zip(targets, _target_rows(targets)[1:], strict=True):
        table.add_row(*row, style="green" if target.reached else "red")
    console.print(table)
    for title, rows in _tables(results):
        table = Table(*rows[0], title=title, title_justify="left")
        for row in rows[1:]:
            table.add_row(*row)
        console.print(table)
    for target in targets:
        if not target.reached:
            console.print(f"\n[red]missed[/red]: {target.title}: {target.value} instead of {target.limit}")
            for line in target.breakdown:
                console.print(f"  {line}", highlight=False, markup=False)


def write_report(results: Results, targets: Sequence[Target], folder: Path) -> list[Path]:
    """Write engine.md and engine.json into a folder; returns the two paths."""
    folder.mkdir(parents=True, exist_ok=True)
    text, data = folder / "engine.md", folder / "engine.json"
    text.write_text(_markdown(results, targets), encoding="utf-8")
    document = {"targets": targets, "results": results}
    data.write_bytes(msgspec.json.format(msgspec.json.encode(document, enc_hook=str), indent=1) + b"\n")
    return [text, data]


def _markdown(results: Results, targets: Sequence[Target]) -> str:
    machine = results.machine
    lines = [
        "# The engine, measured",
        "",
        "Written by `python -m bench`; what each figure means stands in `bench/README.md`. Every raw figure is in "
        "`engine.json`.",
        "",
        f"- {results.date}; {len(results.rounds)} interleaved rounds on {results.seconds} s of 1080p30",
        f"- {machine.cpu}, {machine.cores} cores, {machine.memory_bytes / 2**30:.1f} GiB, Linux {machine.kernel}, "
        f"load {machine.load:.2f} before the first run",
        "- " + ", ".join(f"{program} {version}" for program, version in machine.versions.items()),
        "- " + ", ".join(f"{name} {value}" for name, value in results.settings.items()),
        "",
        "## Targets",
        "",
        *_markdown_table(_target_rows(targets)),
        "",
    ]
    for title, rows in _tables(results):
        lines += [f"## {title}", "", *_markdown_table(rows), ""]
    missed = [target for target in targets if not target.reached]
    if missed:
        lines += ["## Where it went", ""]
    for target in missed:
        lines += [f"{target.title}: {target.value} instead of {target.limit}.", "", "```"]
        lines += [*target.breakdown, "```", ""]
    if results.commands:
        lines += ["## Commands", "", "The last round's, run in `bench/.work`.", ""]
    for name, commands in results.commands.items():
        lines += [f"{TITLES[name]}:", "", "```sh", *commands, "```", ""]
    return "\n".join(lines)


def shown(argv: Sequence[str]) -> str:
    """A command line without this machine's paths to programs and scripts."""
    words = [Path(word).name if word.startswith("/") else word for word in argv]
    return shlex.join(["ffmpeg" if word.startswith("ffmpeg-") else word for word in words])


def _target_rows(targets: Sequence[Target]) -> Rows:
    rows = [["measure", "target", "median", "min to max", "", "--only"]]
    for target in targets:
        verdict = "reached" if target.reached else "MISSED"
        rows.append([target.title, target.limit, target.value, target.spread, verdict, target.name])
    return rows


def _tables(results: Results) -> list[tuple[str, Rows]]:
    """Title and rows of every table for which there are figures."""
    found = []
    if results.rounds:
        found.append(("Contestants", _contestant_rows(results)))
        found.append(("Bytes and VMAF of the last round", _size_rows(results)))
        found.append(("Rounds: wall seconds", _round_rows(results)))
    if any(each.bound for each in results.rounds):
        found.append(("The lower bound: CPU seconds", _bound_rows(results)))
    if parts := vod_parts_s(results):
        rows = [["part", "CPU s"], *([part, f"{cpu_s:.2f}"] for part, cpu_s in parts.items())]
        found.append(("Where vod's CPU seconds go", rows))
    if results.quality:
        found.append(("VMAF at equal bytes", _equal_bytes_rows(results)))
    if results.memory:
        found.append(("Peak memory of vod encode --jobs 2", _memory_rows(results)))
    return found


def _contestants(results: Results) -> list[str]:
    return [name for name in TITLES if all(name in each.runs for each in results.rounds)]


def _contestant_rows(results: Results) -> Rows:
    rows = [["contestant", "wall s", "min to max", "CPU s", "cores busy", "MB", "vod / this"]]
    for name in _contestants(results):
        runs = [each.runs[name] for each in results.rounds]
        walls = results.walls_s(name)
        busy = median(run.cpu_s / run.wall_s for run in runs)
        ratio = median(each.runs["vod"].wall_s / each.runs[name].wall_s for each in results.rounds)
        rows.append(
            [
                TITLES[name],
                f"{median(walls):.2f}",
                f"{min(walls):.2f} to {max(walls):.2f}",
                f"{median(run.cpu_s for run in runs):.2f}",
                f"{busy:.2f}",
                f"{median(sum(run.size_bytes.values()) for run in runs) / 1e6:.2f}",
                f"{ratio:.3f}",
            ]
        )
    return rows


def _size_rows(results: Results) -> Rows:
    last = results.rounds[-1].runs
    parts = list(last["vod"].size_bytes)
    rows = [["contestant", *(f"{part}, kB" + (" (VMAF)" if part in results.quality else "") for part in parts)]]
    for name in _contestants(results):
        cells = []
        for part in parts:
            score = results.quality[part].scores.get(name) if part in results.quality else None
            cells.append(f"{last[name].size_bytes[part] / 1e3:.0f}" + (f" ({score.vmaf:.2f})" if score else ""))
        rows.append([TITLES[name], *cells])
    return rows


def _round_rows(results: Results) -> Rows:
    names = _contestants(results)
    rows = [["round", *(TITLES[name] for name in names), "lower bound", "first segment"]]
    for number, each in enumerate(results.rounds, start=1):
        first = each.runs["vod"].first_segment
        rows.append(
            [
                str(number),
                *(f"{each.runs[name].wall_s:.2f}" for name in names),
                f"{each.bound.wall_s:.2f}" if each.bound else "",
                f"{first.video_s:.2f}" if first else "",
            ]
        )
    return rows


def _bound_rows(results: Results) -> Rows:
    bounds = [each.bound for each in results.rounds if each.bound]
    names = list(bounds[0].x264_s)
    rows = [["round", "decode", "scaling", *(f"x264 {name}" for name in names), "total", "/ cores", "of it reading"]]
    for number, bound in enumerate(bounds, start=1):
        figures = [bound.decode_s, bound.scale_s, *bound.x264_s.values(), bound.cpu_s, bound.wall_s, bound.read_s]
        rows.append([str(number), *(f"{figure:.2f}" for figure in figures)])
    return rows


def _equal_bytes_rows(results: Results) -> Rows:
    rows = [["rung", "vod", "delta", f"{TITLES[results.single]}: its curve"]]
    for rung, quality in results.quality.items():
        vod = quality.scores["vod"]
        curve = ", ".join(f"{score.size_bytes / 1e3:.0f} kB: {score.vmaf:.2f}" for score in quality.curve)
        at_vod = f"{vod.size_bytes / 1e3:.0f} kB: {vod.vmaf:.2f}"
        rows.append([rung, at_vod, f"{quality.equal_bytes_delta:+.2f}", curve])
    return rows


def _memory_rows(results: Results) -> Rows:
    assert results.memory
    rows = [["clip", "peak MB", "by program, MB", "samples"]]
    for seconds, peak in ((results.memory.short_s, results.memory.short), (results.memory.long_s, results.memory.long)):
        programs = ", ".join(f"{program} {size / 1e6:.0f}" for program, size in peak.by_program.most_common())
        rows.append([f"{seconds} s", f"{peak.total_bytes / 1e6:.0f}", programs, str(peak.samples)])
    return rows


def _markdown_table(rows: Rows) -> list[str]:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return [lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]]
