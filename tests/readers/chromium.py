"""The browser that plays our streams: found, never brought along."""

import os
import shutil
import subprocess
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

#: As Debian, Ubuntu and Google call it.
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

#: Where macOS keeps them; nothing of theirs is on the PATH.
MACOS = (
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
)

#: Keep the browser from calling home. Playwright adds headless, no-sandbox and a new profile by itself.
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

#: What our ladders are made of.
_IS_SUPPORTED = """() => MediaSource.isTypeSupported('video/mp4; codecs="avc1.640028,mp4a.40.2"')"""


def find_chromium() -> Path | None:
    """Look where a Chromium or Chrome may be; VOD_CHROMIUM wins, Playwright's own comes last.

    Raises:
        FileNotFoundError: VOD_CHROMIUM names no program.
    """
    if wanted := os.environ.get("VOD_CHROMIUM"):
        if found := shutil.which(wanted):
            return Path(found)
        raise FileNotFoundError(f"VOD_CHROMIUM is {wanted}, which is no program: correct it or unset it.")
    on_path = [Path(found) for name in NAMES if (found := shutil.which(name))]
    for program in (*on_path, *MACOS):
        if _runs(program):
            return program
    with sync_playwright() as playwright:
        program = Path(playwright.chromium.executable_path)
    return program if program.exists() else None


def plays_h264(chromium: Path) -> bool:
    """Say whether it starts and decodes H.264 with AAC; free builds of Chromium do not."""
    try:
        with (
            sync_playwright() as playwright,
            playwright.chromium.launch(executable_path=chromium, args=FLAGS) as browser,
        ):
            return bool(browser.new_page().evaluate(_IS_SUPPORTED))
    except Error:
        return False


def _runs(program: Path) -> bool:
    """Tell a browser from Ubuntu's stand-in, which only says that a snap is missing."""
    if not program.exists():
        return False
    answer = subprocess.run([program, "--version"], capture_output=True, timeout=60, check=False)
    return answer.returncode == 0
