"""Where a video is cut: segments on whole GOPs, chunks of whole segments. All in output frames."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor

#: A chunk that starts between two keyframes of the source decodes from the one before. Chunks are made
#: fewer while that wasted decoding is a larger share of a film's work than this.
MAX_WASTE = Fraction(1, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A run of whole segments, encoded on its own; starts on a keyframe."""

    index: int  #: position in presentation order, from 0
    first_segment: int
    segment_count: int  #: > 0
    start_frame: int
    frame_count: int  #: > 0


def gop_frames(gop_s: float, frame_rate: Fraction) -> int:
    """GOP length in frames, at least one: 2 s of 29.97 fps are 60 frames."""
    return max(1, round(Fraction(str(gop_s)) * frame_rate))


def segment_borders(frame_count: int, *, segment: int, start: int) -> tuple[int, ...]:
    """First frame of every segment.

    The first nominal segment is cut once more, so that a short one is written and fetched sooner; every later
    border stays on the regular grid.

    Args:
        frame_count: Frames of the video, > 0.
        segment: Nominal segment length, frames.
        start: Length of the first segment, frames.

    Returns:
        Ascending frame numbers, the first is 0, all below frame_count.
    """
    if frame_count < 1 or segment < 1 or start < 1:
        raise ValueError(f"cannot cut {frame_count} frames into segments of {segment}, the first of {start}")
    borders = {*range(0, frame_count, segment), min(start, segment)}
    return tuple(sorted(border for border in borders if border < frame_count))


def plan_chunks(
    borders: Sequence[int],
    frame_count: int,
    *,
    work_per_frame_s: float,
    decode_per_frame_s: float,
    chunk_work_s: float,
    keyframes: Sequence[int],
    splittable: bool,
) -> tuple[Chunk, ...]:
    """Group segments into chunks that can be encoded apart and joined.

    The number of chunks follows the work; their lengths differ by less than two segments, so no machine is
    left alone with a long one. It depends on no machine: the same source gives the same chunks anywhere.

    Args:
        borders: First frame of every segment, ascending from 0.
        frame_count: Frames of the video.
        work_per_frame_s: Predicted CPU seconds to encode one frame in all renditions, decoding included.
        decode_per_frame_s: The part of it that decodes.
        chunk_work_s: Wanted work of a chunk, CPU seconds.
        keyframes: Frames at which the source can be entered, ascending.
        splittable: False gives one chunk: the container has no index that can be trusted.

    Returns:
        Chunks in presentation order. Together they cover every segment, and so every frame, once.
    """
    if not borders or borders[0] != 0 or frame_count <= borders[-1]:
        raise ValueError(f"segment borders {list(borders)[:3]}… do not cover {frame_count} frames")
    work_s = frame_count * work_per_frame_s
    wanted = min(len(borders), max(1, ceil(work_s / chunk_work_s))) if splittable else 1
    while wanted > 1:
        chunks = _spread(borders, frame_count, wanted)
        waste_s = decode_per_frame_s * sum(_pre_roll(chunk.start_frame, keyframes) for chunk in chunks)
        if waste_s <= MAX_WASTE * work_s:
            return chunks
        wanted = max(1, floor(wanted * 0.8))
    return _spread(borders, frame_count, 1)


def _spread(borders: Sequence[int], frame_count: int, chunk_count: int) -> tuple[Chunk, ...]:
    """Cut into so many chunks at the borders nearest to equal shares of the frames."""
    ends = [*borders, frame_count]
    firsts = [0]
    for number in range(1, chunk_count):
        ideal = Fraction(frame_count * number, chunk_count)
        after = bisect_left(ends, ideal)
        nearest = after if ends[after] - ideal < ideal - ends[after - 1] else after - 1
        lowest, highest = firsts[-1] + 1, len(borders) - (chunk_count - number)
        firsts.append(min(max(nearest, lowest), highest))
    firsts.append(len(borders))
    return tuple(
        Chunk(
            index=index,
            first_segment=first,
            segment_count=after - first,
            start_frame=ends[first],
            frame_count=ends[after] - ends[first],
        )
        for index, (first, after) in enumerate(pairwise(firsts))
    )


def _pre_roll(frame: int, keyframes: Sequence[int]) -> int:
    """Frames decoded and thrown away to start at `frame`."""
    after = bisect_right(keyframes, frame)
    return frame - (keyframes[after - 1] if after else 0)
