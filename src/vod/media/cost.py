"""What encoding costs, in CPU seconds: measured coefficients, so a plan can cut work into even pieces.

Measured with `make bench` sources on one x86_64 core (AMD EPYC, 2.6 GHz), FFmpeg 9, x264 with one thread. They need
to be right within a factor of two: chunk length, timeouts and progress use them, no result depends on them.
"""

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

from vod.media.ladder import Rendition
from vod.media.source import VideoTrack

#: x264, nanoseconds per pixel at CRF 23, by preset.
ENCODE_NS_PER_PX = {
    "ultrafast": 5.0, "superfast": 9.0, "veryfast": 13.5, "faster": 23.0, "fast": 29.0,
    "medium": 36.0, "slow": 65.0, "slower": 130.0, "veryslow": 230.0,
}  # fmt: skip

#: One decoded pixel, nanoseconds, by codec; DECODE_OTHER_NS for what is not listed.
DECODE_NS_PER_PX = {
    "h264": 3.7, "hevc": 4.5, "vp9": 3.5, "av1": 5.0, "prores": 7.0, "mpeg2video": 1.5, "rawvideo": 0.3,
}  # fmt: skip
DECODE_OTHER_NS = 4.0

#: Bicubic scaling, per pixel of the larger side of one step of the cascade.
SCALE_NS_PER_PX = 1.2

#: HDR to SDR in 32-bit float: the dearest filter there is here, per pixel of the largest rendition.
TONE_MAP_NS_PER_PX = 60.0

#: AAC, CPU seconds per second of stereo, decoding included.
AUDIO_CPU_S_PER_S = 0.012


def decode_cost_s(video: VideoTrack) -> float:
    """CPU seconds to decode one frame."""
    return video.coded_width_px * video.coded_height_px * DECODE_NS_PER_PX.get(video.codec, DECODE_OTHER_NS) * 1e-9


def encode_cost_s(video: VideoTrack, renditions: Iterable[Rendition], preset: str, frame_rate: Fraction) -> float:
    """CPU seconds to make one output frame in every rendition: decode, scale, encode."""
    sizes = [rendition.width_px * rendition.height_px for rendition in renditions]
    pixels = sum(sizes)
    source_px = video.coded_width_px * video.coded_height_px
    decoded_frames = max(1.0, float(video.frame_rate / frame_rate))  # above the limit, decoded frames are dropped
    nanoseconds = pixels * ENCODE_NS_PER_PX[preset]
    steps = [source_px, *sizes]
    nanoseconds += SCALE_NS_PER_PX * sum(larger for larger, smaller in pairwise(steps) if larger != smaller)
    if video.color.is_hdr:
        nanoseconds += sizes[0] * TONE_MAP_NS_PER_PX
    return nanoseconds * 1e-9 + decoded_frames * decode_cost_s(video)
