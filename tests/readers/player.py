"""Streams, played by hls.js in a real browser."""

import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Page, sync_playwright

from readers.chromium import FLAGS, find_chromium

_HERE = Path(__file__).resolve().parent
_PAGE = _HERE / "player.html"
_HLS_JS = _HERE.parent / "node_modules" / "hls.js" / "dist" / "hls.min.js"

#: Times real speed, to begin with; the page halves it when the decoder cannot follow.
PLAYBACK_RATE = 8.0

#: A picture comes in a second; this is for a machine that is very busy.
_SCREENSHOT_LIMIT_S = 60.0

#: How often the server looks whether it shall stop; its own half a second would be lost on every call.
_POLL_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelReport:
    """What the browser tells of one level, played from start to end."""

    width_px: int  #: as the decoder says; 0 when there is no picture
    height_px: int
    duration_s: float | None  #: None when nothing was loaded
    first_buffered_s: float | None  #: where the first buffered range starts; None when nothing was buffered
    ended: bool  #: the browser says that it came to the end
    reached_s: float  #: where the playhead stood last
    holes: int  #: gaps between buffered ranges at the end, plus jumps over gaps
    decoded_frames: int
    dropped_frames: int  #: decoded, never shown; at PLAYBACK_RATE most are, as the screen has 60 Hz
    errors: tuple[str, ...]  #: every error of hls.js as "details: reason", "fatal " before a fatal one


def play(index: Path, *, seconds_limit: float) -> list[LevelReport]:
    """Play every level, each on its own page that knows no other level to switch to.

    Args:
        index: The multivariant playlist; everything it names lies in its folder.
        seconds_limit: Time one level may take. What is not at its end by then is reported with an error.

    Returns:
        One report a level, in hls.js's order: ascending bandwidth. hls.js leaves out variants it cannot play
        and, where there are pictures, variants without; so compare the number with the one expected. A stream
        that could not even be opened has one report.
    """
    with _page_maker(index) as (new_page, url):
        reports: list[LevelReport] = []
        levels = 1
        while len(reports) < levels:
            page = new_page()
            limit_ms = seconds_limit * 1000
            wanted = {"url": url, "level": len(reports), "rate": PLAYBACK_RATE, "limitMs": limit_ms}
            answer = page.evaluate("wanted => play(wanted)", wanted)
            page.close()
            levels = max(levels, answer["levels"])
            report = answer["report"]
            reports.append(LevelReport(**{**report, "errors": tuple(report["errors"])}))
        return reports


def screenshot(index: Path, at_s: float, to: Path) -> None:
    """Write one picture of the highest level, as large as it is, as PNG.

    Raises:
        RuntimeError: No picture came; the text has the player's errors.
    """
    with _page_maker(index) as (new_page, url):
        page = new_page()
        wanted = {"url": url, "atS": at_s, "limitMs": _SCREENSHOT_LIMIT_S * 1000}
        answer = page.evaluate("wanted => picture(wanted)", wanted)
        if answer["png"] is None:
            raise RuntimeError(f"No picture at {at_s} s of {index}: {answer['errors']}")
        to.write_bytes(b64decode(answer["png"]))


@contextmanager
def _page_maker(index: Path) -> Iterator[tuple[Any, str]]:
    """Serve the stream and open a browser; yields what opens the player's page, and the stream's URL."""
    chromium = find_chromium()
    if chromium is None or not _HLS_JS.exists():
        raise FileNotFoundError("No Chromium or no hls.js: `make test` sets them up.")

    handler = partial(_Handler, directory=str(index.resolve().parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, sync_playwright() as playwright:
        serving = threading.Thread(target=server.serve_forever, args=(_POLL_S,), daemon=True)
        serving.start()
        try:
            with playwright.chromium.launch(executable_path=chromium, args=FLAGS) as browser:

                def new_page() -> Page:
                    page = browser.new_page()
                    page.goto(f"http://127.0.0.1:{server.server_port}/")
                    return page

                yield new_page, f"/stream/{quote(index.name)}"
        finally:
            server.shutdown()
            serving.join()


class _Handler(SimpleHTTPRequestHandler):
    """The page at /, hls.js at /hls.js, the stream's folder under /stream/; nothing is printed."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".m3u8": "application/vnd.apple.mpegurl",
        ".m4s": "video/iso.segment",
        ".mp4": "video/mp4",
        ".m4a": "audio/mp4",
        ".ts": "video/mp2t",
        ".vtt": "text/vtt",
    }

    def handle(self) -> None:
        """Answer; a browser that hangs up in the middle is no news."""
        with suppress(ConnectionError):
            super().handle()

    def translate_path(self, path: str) -> str:
        """Map a URL's path to a file."""
        if path == "/":
            return str(_PAGE)
        if path == "/hls.js":
            return str(_HLS_JS)
        return super().translate_path(path.removeprefix("/stream"))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the reports say what failed."""
