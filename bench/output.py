"""What a contestant left behind: renditions found through its playlists, their bytes, and whether they are whole."""

import json
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from bench.ladder import Ladder
from bench.process import BenchError, Runner


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One finished folder."""

    playlists: dict[str, Path]  #: rung name -> media playlist
    audio: Path
    size_bytes: dict[str, int]  #: rung name -> init and media segments; "audio" too

    @property
    def total_bytes(self) -> int:
        """All renditions and the sound, without playlists."""
        return sum(self.size_bytes.values())


def read_output(folder: Path, ladder: Ladder) -> Output:
    """Find every rung and the sound.

    Raises:
        BenchError: One is missing.
    """
    index = folder / "index.m3u8"
    if index.is_file():
        text = index.read_text()
        by_height = {
            int(height): folder / uri
            for height, uri in re.findall(r"#EXT-X-STREAM-INF:.*RESOLUTION=\d+x(\d+).*\n([^#\s]\S*)", text)
        }
        playlists = {rung.name: by_height.get(rung.height_px, folder) for rung in ladder.rungs}
        found = re.search(r'#EXT-X-MEDIA:.*TYPE=AUDIO.*URI="([^"]+)"', text)
        audio = folder / found[1] if found else folder
    else:  # one process per rung leaves no playlist of all
        playlists = {rung.name: folder / rung.name / "playlist.m3u8" for rung in ladder.rungs}
        audio = folder / "audio" / "playlist.m3u8"
    missing = [name for name, path in [*playlists.items(), ("audio", audio)] if not path.is_file()]
    if missing:
        raise BenchError(f"{folder.name}: no playlist of {', '.join(missing)}.")
    sizes = {name: _media_bytes(path) for name, path in [*playlists.items(), ("audio", audio)]}
    return Output(playlists=playlists, audio=audio, size_bytes=sizes)


def check_output(runner: Runner, ffprobe: str, output: Output, ladder: Ladder, seconds: int) -> None:
    """Whoever leaves frames out is no contestant.

    Raises:
        BenchError: A rendition has another size or number of frames than asked for, or the sound is short.
    """
    for rung in ladder.rungs:
        found = _probe(runner, ffprobe, output.playlists[rung.name])
        wanted = (rung.width_px, rung.height_px, round(seconds * ladder.frame_rate))
        if found != wanted:
            raise BenchError(
                f"{output.playlists[rung.name]}: width, height and frames are {found}, wanted were {wanted}."
            )
    audio_s = _playlist_s(output.audio)
    if abs(audio_s - seconds) > 0.2:
        raise BenchError(f"{output.audio}: {float(audio_s):.2f} s of sound instead of {seconds} s.")


def _probe(runner: Runner, ffprobe: str, playlist: Path) -> tuple[int, int, int]:
    """Width, height and number of packets of the first video track."""
    entries = ("-count_packets", "-show_entries", "stream=width,height,nb_read_packets", "-of", "json")
    text = runner.text([ffprobe, "-v", "error", "-select_streams", "v:0", *entries, str(playlist)])
    stream = json.loads(text[text.index("{") :])["streams"][0]
    return int(stream["width"]), int(stream["height"]), int(stream["nb_read_packets"])


def _playlist_s(playlist: Path) -> Fraction:
    return sum((Fraction(text) for text in re.findall(r"#EXTINF:([\d.]+)", playlist.read_text())), Fraction(0))


def _media_bytes(playlist: Path) -> int:
    text = playlist.read_text()
    names = set(re.findall(r'#EXT-X-MAP:.*URI="([^"]+)"', text)) | set(re.findall(r"^[^#\s]\S*", text, re.MULTILINE))
    return sum((playlist.parent / name).stat().st_size for name in names)
