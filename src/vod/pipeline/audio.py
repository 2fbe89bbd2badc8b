"""Encode one sound track, whole: chunks of sound would click at every seam, where the encoder starts anew."""

import threading
from fractions import Fraction
from itertools import pairwise
from math import ceil

from vod.errors import FFmpegError
from vod.ffmpeg.binaries import Binaries
from vod.ffmpeg.command import audio_command
from vod.ffmpeg.process import open_pipes, run
from vod.hls.fmp4 import MalformedError, Segmenter
from vod.media.encoded import TaskResult
from vod.media.plan import AudioPlan, Plan
from vod.pipeline.encode import Progress, ProgressLines, TrackWriter, limits_for, result_of
from vod.pipeline.store import Store

#: Samples in an AAC-LC frame (ISO/IEC 14496-3), and how many frames of FFmpeg's encoder come before time 0.
AAC_FRAME_SAMPLES = 1024
AAC_PRIMING_FRAMES = 1


def encode_audio(
    binaries: Binaries,
    plan: Plan,
    track: AudioPlan,
    *,
    url: str,
    store: Store,
    fence: int = 0,
    on_progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> TaskResult:
    """Encode one sound track; its segments end at the first AAC frame at or after each border of the picture.

    Raises:
        FFmpegError: The process died, hung, or wrote something else.
        Interrupted: `stop` was set.
    """
    segmenter = Segmenter(aac_frame_counts(plan, track), first_number=0, start=0)
    writer = TrackWriter(store, plan, "audio", track.name, segmenter, chunk=0, fence=fence, skip=AAC_PRIMING_FRAMES)
    with open_pipes(1) as pipes:
        argv = audio_command(binaries.ffmpeg, plan, track, url=url, output=pipes[0].url)
        try:
            finished = run(
                argv,
                limits=limits_for(plan, track.cpu_s),
                stdout=ProgressLines(on_progress),
                pipes={pipes[0]: writer.feed},
                stop=stop,
            )
            encoded = writer.finish(short_end=True)
        except MalformedError as exc:
            raise FFmpegError(f"ffmpeg wrote other than planned for sound {track.name}: {exc}.", argv=argv) from exc
    held_s = sum((segment.duration_s for segment in encoded.segments), Fraction(0))
    if abs(held_s - plan.duration_s) > Fraction(3 * AAC_FRAME_SAMPLES, track.sample_rate_hz):
        raise FFmpegError(
            f"ffmpeg wrote {float(held_s):.3f} s of sound {track.name} instead of {float(plan.duration_s):.3f} s.",
            argv=argv,
            stderr_tail=finished.stderr_tail,
        )
    return result_of(task_name(track), (encoded,), finished)


def task_name(track: AudioPlan) -> str:
    """One task per sound track."""
    return f"audio_{track.name}"


def aac_frame_counts(plan: Plan, track: AudioPlan) -> list[int]:
    """AAC frames in each segment; of the last one only the encoder knows, so its count is more than it can have."""
    if plan.video:
        starts_s = [border / plan.video.frame_rate for border in plan.video.segment_borders]
    else:
        whole = max(1, round(plan.duration_s / plan.segment_s))  # a short rest belongs to the segment before it
        starts_s = [number * plan.segment_s for number in range(whole)]
    ends_s = [*starts_s[1:], plan.duration_s + plan.segment_s]
    borders = [0, *(ceil(end_s * track.sample_rate_hz / AAC_FRAME_SAMPLES) for end_s in ends_s)]
    return [after - before for before, after in pairwise(borders)]
