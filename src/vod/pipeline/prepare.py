"""The first task of an edition: look at the source, refuse it with a reason, or plan it."""

import threading

from vod.ffmpeg.binaries import Binaries
from vod.ffmpeg.probe import probe
from vod.media.plan import Plan, make_plan
from vod.media.profile import Profile


def prepare(
    binaries: Binaries,
    url: str,
    *,
    name: str,
    size_bytes: int,
    profile: Profile,
    stop: threading.Event | None = None,
) -> Plan:
    """Probe a source and plan its edition.

    Raises:
        InputError: The upload is at fault.
        FFmpegError: ffprobe died of itself.
        Interrupted: `stop` was set.
    """
    source = probe(binaries, url, name=name, size_bytes=size_bytes, stop=stop)
    return make_plan(source, profile, engine=f"ffmpeg {binaries.ffmpeg_version}")
