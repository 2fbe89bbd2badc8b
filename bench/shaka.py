"""shaka-streamer with vod's settings; run as a script: python -P bench/shaka.py SOURCE FOLDER SETTINGS.json.

Its own controller, FFmpeg and packager run as they are. One method is replaced at run time: TranscoderNode's
_encode_video, whose list of options is changed before it is used. See README.md for what and why.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

# No stubs, and not installed where only the types are checked.
from streamer.controller_node import ControllerNode
from streamer.node_base import ProcessStatus
from streamer.transcoder_node import TranscoderNode

#: The command-line program looks every second whether it is done; that would be up to a second of waiting.
LOOK_EVERY_S = 0.01


def main() -> int:
    """Encode one file; exits with 1 when a node failed."""
    source, folder, settings_path = sys.argv[1:]
    settings = json.loads(Path(settings_path).read_text())
    patch_transcoder(settings)
    with ControllerNode().start(folder, *configs(source, settings)) as controller:
        while (status := controller.check_status()) is ProcessStatus.RUNNING:
            time.sleep(LOOK_EVERY_S)
    return 0 if status is ProcessStatus.FINISHED else 1


def configs(source: str, settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Its three configuration files: inputs, pipeline, bitrates."""
    inputs = {"inputs": [{"name": source, "media_type": kind} for kind in ("video", "audio")]}
    pipeline = {
        "streaming_mode": "vod",
        "quiet": True,
        "resolutions": [rung["name"] for rung in settings["rungs"]],
        "channel_layouts": ["stereo"],
        "audio_codecs": ["aac"],
        "video_codecs": ["h264"],
        "manifest_format": ["hls"],
        "hls_output": "index.m3u8",
        "segment_size": settings["segment_s"],
    }
    bitrates = {
        "video_resolutions": {
            rung["name"]: {
                "max_width": rung["width_px"],
                "max_height": rung["height_px"],
                "bitrates": {"h264": f"{rung['max_bitrate_bps'] // 1000}k"},
            }
            for rung in settings["rungs"]
        },
        "audio_channel_layouts": {
            "stereo": {"max_channels": 2, "bitrates": {"aac": f"{settings['audio_bitrate_bps'] // 1000}k"}}
        },
    }
    return inputs, pipeline, bitrates


def patch_transcoder(settings: dict[str, Any]) -> None:
    """Make TranscoderNode encode with vod's settings instead of preset slow and an average bitrate."""
    shipped = TranscoderNode._encode_video

    def encode_video(self: Any, stream: Any, media_input: Any) -> list[str]:
        rung = next(rung for rung in settings["rungs"] if rung["name"] == stream.resolution.get_key())
        return video_options(shipped(self, stream, media_input), rung, settings)

    TranscoderNode._encode_video = encode_video


def video_options(options: list[str], rung: dict[str, Any], settings: dict[str, Any]) -> list[str]:
    """Its own options with ours in their place.

    Raises:
        ValueError: An option to replace is not there: another version of shaka-streamer.
    """
    ours = {
        "-preset": ["-preset", settings["preset"]],
        "-profile:v": ["-profile:v", "high"],
        "-b:v": [
            *("-crf", f"{rung['crf']:g}"),
            *("-maxrate", str(rung["max_bitrate_bps"]), "-bufsize", str(rung["buffer_bits"])),
        ],
        "-g": ["-g", str(settings["gop_frames"])],
        "-keyint_min": ["-keyint_min", str(settings["gop_frames"]), "-sc_threshold", "0"],
    }
    missing = [name for name in ours if name not in options]
    if missing:
        raise ValueError(f"shaka-streamer has changed: it no longer sets {', '.join(missing)}")
    changed, rest = [], iter(options)
    for option in rest:
        if option in ours:
            next(rest)
            changed += ours[option]
        else:
            changed.append(option)
    return changed


if __name__ == "__main__":
    sys.exit(main())
