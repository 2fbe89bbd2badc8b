"""Where everything lies: names and keys of the output, below one folder or one S3 prefix per video.

index.m3u8                                      multivariant playlist: the link
<edition>/video/<rung>/init.mp4                 decoder set-up, the same for every chunk
<edition>/video/<rung>/<chunk>-<fence>-<n>.m4s  media segments
<edition>/video/<rung>/playlist.m3u8
<edition>/audio/<n>-<lang>/…                    the same for each sound track
<edition>/report.json
"""

MULTIVARIANT_KEY = "index.m3u8"

#: Content types that S3 and a web server must answer with (RFC 8216 section 4; ISO/IEC 23000-19).
CONTENT_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
    ".json": "application/json",
}


def track_folder(kind: str, name: str) -> str:
    """Folder of one rendition or sound track, below the edition; kind is "video" or "audio"."""
    return f"{kind}/{name}"


def init_key(kind: str, name: str) -> str:
    """The init segment of a track, below the edition."""
    return f"{track_folder(kind, name)}/init.mp4"


def segment_key(kind: str, name: str, *, chunk: int, fence: int, number: int) -> str:
    """A media segment, below the edition: no other attempt (fence) at its chunk can have the same key."""
    return f"{track_folder(kind, name)}/{chunk:05d}-{fence}-{number:05d}.m4s"


def playlist_key(kind: str, name: str) -> str:
    """The media playlist of a track, below the edition."""
    return f"{track_folder(kind, name)}/playlist.m3u8"


def report_key() -> str:
    """What was probed, planned, measured and spent, below the edition."""
    return "report.json"
