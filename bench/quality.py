"""VMAF of what the contestants made, and vod against the best single command at equal bytes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from bench import commands
from bench.contestants import Field
from bench.output import Output, read_output

#: One frame of so many is scored.
SCORE_EVERY = 5

#: The single command is also encoded with these added to its CRF: points of its curve of bytes and VMAF.
CRF_SHIFTS = (1, -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One rendition."""

    size_bytes: int
    vmaf: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RungQuality:
    """One rung, over all contestants."""

    scores: dict[str, Score]  #: contestant -> its rendition
    curve: list[Score]  #: the single command at several CRF, fewest bytes first
    equal_bytes_delta: float  #: vod's VMAF minus the curve's at vod's bytes


def measure_quality(field: Field, names: Sequence[str], single: str) -> dict[str, RungQuality]:
    """Score the last output of each contestant.

    Args:
        field: Where all have run.
        names: The contestants; vod and `single` among them.
        single: Which of the two single commands vod is compared with.

    Returns:
        Rung name -> what was found.
    """
    outputs = {name: field.output(name) for name in names}
    shifted = []
    for shift in CRF_SHIFTS:
        folder = field.fresh_folder(f"crf{shift:+d}")
        field.runner.run(field.single_command(single, folder, crf_shift=shift))
        shifted.append(read_output(field.runner.folder / folder, field.ladder))
    found = {}
    for rung in field.ladder.rungs:
        scores = {name: _score(field, output, rung.name) for name, output in outputs.items()}
        curve = [scores[single], *(_score(field, output, rung.name) for output in shifted)]
        curve.sort(key=lambda score: score.size_bytes)
        delta = scores["vod"].vmaf - vmaf_at(scores["vod"].size_bytes, curve)
        found[rung.name] = RungQuality(scores=scores, curve=curve, equal_bytes_delta=delta)
    return found


def vmaf_at(size_bytes: int, curve: Sequence[Score]) -> float:
    """VMAF of a curve at so many bytes: straight lines over log(bytes), the outer ones go on.

    Args:
        size_bytes: Where.
        curve: At least two points of different sizes, fewest bytes first.
    """
    above = next((number for number, score in enumerate(curve) if score.size_bytes >= size_bytes), len(curve) - 1)
    high = max(1, above)
    left, right = curve[high - 1], curve[high]
    share = log(size_bytes / left.size_bytes) / log(right.size_bytes / left.size_bytes)
    return left.vmaf + share * (right.vmaf - left.vmaf)


def _score(field: Field, output: Output, rung: str) -> Score:
    playlist = output.playlists[rung].relative_to(field.runner.folder)
    log_path = field.runner.folder / "vmaf.json"
    argv = commands.vmaf_command(
        field.ffmpeg,
        str(playlist),
        field.source.name,
        field.ladder,
        log=log_path.name,
        every=SCORE_EVERY,
        threads=field.cores,
    )
    field.runner.run(argv)
    vmaf = json.loads(log_path.read_text())["pooled_metrics"]["vmaf"]["mean"]
    return Score(size_bytes=output.size_bytes[rung], vmaf=vmaf)
