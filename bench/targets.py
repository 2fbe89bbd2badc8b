"""From raw figures to targets reached or missed: pure, so that a result can be judged again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import mean, median

from bench.contestants import SINGLES, TITLES, Bound, Run
from bench.machine import Machine
from bench.process import Peak
from bench.quality import RungQuality

#: Ratios of wall times, vod to the other.
SEQUENTIAL_RATIO = 0.60
BOUND_RATIO = 1.10
SHAKA_RATIO = 0.85
SINGLE_RATIO = 0.98

#: VMAF points at equal bytes, mean over the rungs.
VMAF_DELTA = -0.3

FIRST_SEGMENT_S = 2.5
PEAK_BYTES = 1_000_000_000

#: The long clip's peak over the short one's may differ from 1 by so much.
PEAK_GROWTH = 0.10

#: CPU of our own Python over all CPU.
PYTHON_SHARE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Everybody once."""

    runs: dict[str, Run]  #: by contestant
    bound: Bound | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Peaks of `vod encode --jobs 2`."""

    short: Peak
    long: Peak
    short_s: int  #: length of the clips, seconds
    long_s: int


@dataclass(slots=True, kw_only=True)
class Results:
    """Everything that was measured; what was not asked for is empty or None."""

    date: str
    machine: Machine
    seconds: int
    settings: dict[str, object]
    commands: dict[str, list[str]]  #: contestant -> command lines
    rounds: list[Round] = field(default_factory=list)
    quality: dict[str, RungQuality] = field(default_factory=dict)
    memory: Memory | None = None
    start_s: float | None = None  #: wall time of `vod --help`

    @property
    def single(self) -> str:
        """THE command: whichever of the two was faster here."""
        # Only the last round counts: the slower one may have been sent home after the first, and must not come back
        # because the other's later rounds were slow.
        present = [name for name in SINGLES if self.rounds and name in self.rounds[-1].runs]
        return min(present, key=lambda name: median(self.walls_s(name)), default=SINGLES[0])

    def walls_s(self, name: str) -> list[float]:
        """Wall times of one contestant, a round each."""
        return [each.runs[name].wall_s for each in self.rounds if name in each.runs]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One promise."""

    name: str  #: as in --only
    title: str
    limit: str  #: in words
    value: str
    spread: str  #: smallest and largest of the rounds
    reached: bool
    breakdown: list[str]  #: where it went, a line each; empty when reached


def judge(results: Results) -> list[Target]:
    """Every target for which there are figures."""
    found = [
        _ratio(results, "sequential", "sequential", SEQUENTIAL_RATIO),
        _bound(results),
        _ratio(results, "shaka", "shaka", SHAKA_RATIO),
        _ratio(results, "single", results.single, SINGLE_RATIO),
        _vmaf(results),
        _first_segment(results),
        *_memory(results),
        _python(results),
    ]
    return [target for target in found if target]


def _ratio(results: Results, name: str, other: str, limit: float) -> Target | None:
    ratios = [
        each.runs["vod"].wall_s / each.runs[other].wall_s
        for each in results.rounds
        if {"vod", other} <= each.runs.keys()
    ]
    title = f"wall time, vod over {TITLES[other]}"
    return _per_round(name, title, ratios, limit, "{:.3f}", lambda: [_where(results, "vod"), _where(results, other)])


def _bound(results: Results) -> Target | None:
    ratios = [
        each.runs["vod"].wall_s / each.bound.wall_s for each in results.rounds if each.bound and "vod" in each.runs
    ]
    title = "wall time, vod over the lower bound"

    def where() -> list[str]:
        parts = [f"  {part}: {cpu_s:.2f} CPU s" for part, cpu_s in vod_parts_s(results).items()]
        return [_where(results, "vod"), *parts]

    return _per_round("bound", title, ratios, BOUND_RATIO, "{:.3f}", where)


def _first_segment(results: Results) -> Target | None:
    firsts = [run.first_segment for run in _vod_runs(results) if run.first_segment]
    if not all(first.was_complete for first in firsts):
        lines = ["A segment still grew after it had its final name: the time is not that of a finished segment."]
        return Target(
            name="first",
            title="first video segment",
            limit=f"<= {FIRST_SEGMENT_S:g} s",
            value="unfinished",
            spread="",
            reached=False,
            breakdown=lines,
        )

    def where() -> list[str]:
        lines = [f"first segment of any kind: {median(first.any_s for first in firsts):.2f} s"]
        if results.start_s is not None:
            lines.append(f"Python and imports alone (`vod --help`): {results.start_s:.2f} s")
        return lines

    title = "first video segment on disk"
    return _per_round("first", title, [first.video_s for first in firsts], FIRST_SEGMENT_S, "{:.2f} s", where)


def _python(results: Results) -> Target | None:
    runs = _vod_runs(results)
    title = "CPU of our own Python, share of all"
    shares = [run.own_cpu_s / run.cpu_s for run in runs]

    def where() -> list[str]:
        return [
            f"own Python {median(run.own_cpu_s for run in runs):.2f} CPU s of {median(run.cpu_s for run in runs):.2f}"
        ]

    return _per_round("python", title, shares, PYTHON_SHARE, "{:.2%}", where)


def _per_round(
    name: str, title: str, values: Sequence[float], limit: float, form: str, where: Callable[[], list[str]]
) -> Target | None:
    """A target on the median of the rounds' values; at most the limit."""
    if not values:
        return None
    reached = median(values) <= limit
    return Target(
        name=name,
        title=title,
        limit=f"<= {form.format(limit)}",
        value=form.format(median(values)),
        spread=f"{form.format(min(values))} to {form.format(max(values))}",
        reached=reached,
        breakdown=[] if reached else where(),
    )


def _vmaf(results: Results) -> Target | None:
    if not results.quality:
        return None
    deltas = {rung: quality.equal_bytes_delta for rung, quality in results.quality.items()}
    value = mean(deltas.values())
    reached = value >= VMAF_DELTA
    return Target(
        name="vmaf",
        title=f"VMAF at equal bytes, vod minus {TITLES[results.single]}",
        limit=f">= {VMAF_DELTA}",
        value=f"{value:+.2f}",
        spread=f"{min(deltas.values()):+.2f} to {max(deltas.values()):+.2f}",
        reached=reached,
        breakdown=[] if reached else [f"{rung}: {delta:+.2f}" for rung, delta in deltas.items()],
    )


def _memory(results: Results) -> list[Target]:
    if results.memory is None:
        return []
    short, long = results.memory.short, results.memory.long
    growth = long.total_bytes / short.total_bytes
    small, steady = short.total_bytes <= PEAK_BYTES, abs(growth - 1) <= PEAK_GROWTH
    return [
        Target(
            name="memory",
            title=f"peak memory of --jobs 2, {results.memory.short_s} s",
            limit=f"<= {PEAK_BYTES / 1e9:.1f} GB",
            value=f"{short.total_bytes / 1e9:.2f} GB",
            spread="",
            reached=small,
            breakdown=[] if small else _where_memory(short),
        ),
        Target(
            name="memory",
            title=f"the same for {results.memory.long_s} s, times the peak for {results.memory.short_s} s",
            limit=f"1 ± {PEAK_GROWTH:.2f}",
            value=f"{growth:.3f} ({long.total_bytes / 1e9:.2f} GB)",
            spread="",
            reached=steady,
            breakdown=[] if steady else [*_where_memory(short), *_where_memory(long)],
        ),
    ]


def _where_memory(peak: Peak) -> list[str]:
    return [f"{program}: {size / 1e6:.0f} MB" for program, size in peak.by_program.most_common()]


def _vod_runs(results: Results) -> list[Run]:
    return [each.runs["vod"] for each in results.rounds if "vod" in each.runs]


def _where(results: Results, name: str) -> str:
    """Wall, CPU and waiting of one contestant: medians over the rounds."""
    runs = [each.runs[name] for each in results.rounds if name in each.runs]
    wall_s, cpu_s = median(run.wall_s for run in runs), median(run.cpu_s for run in runs)
    cores = results.machine.cores
    idle = wall_s * cores - cpu_s
    return f"{TITLES[name]}: {wall_s:.2f} s on {cores} cores = {cpu_s:.2f} CPU s + {idle:.2f} core seconds idle"


def vod_parts_s(results: Results) -> dict[str, float]:
    """Where vod's CPU seconds go, medians over the rounds; empty when the bound was not measured too."""
    runs = _vod_runs(results)
    bounds = [each.bound for each in results.rounds if each.bound]
    if not runs or not bounds:
        return {}
    parts = {
        "own Python": median(run.own_cpu_s for run in runs),
        "one decode": median(bound.decode_s for bound in bounds),
        "scaling": median(bound.scale_s for bound in bounds),
        **{f"x264 {rung}": median(bound.x264_s[rung] for bound in bounds) for rung in bounds[0].x264_s},
        "sound": median(bound.audio_s for bound in bounds),
    }
    rest_s = median(run.cpu_s for run in runs) - sum(parts.values())
    return parts | {"the rest: probing, decoding before chunks, filters, muxing": rest_s}
