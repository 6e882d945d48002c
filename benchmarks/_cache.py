"""Files from public registries, kept on this machine.

They go to the folder that the environment variable ``SKREG_DATA`` names, else to
``~/.cache/skreg``. A file that is there already is not downloaded again; every file is
checked against the SHA-256 that stands beside its address.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen


@dataclass(frozen=True)
class Download:
    """An address, and the SHA-256 of what is there."""

    url: str
    sha256: str

    @property
    def path(self):
        """Where it is kept."""
        folder = Path(os.environ.get("SKREG_DATA", "~/.cache/skreg")).expanduser()
        return folder / self.url.rpartition("/")[2]


def fetch(download):
    """The bytes of a file, downloaded where they are not kept yet.

    Raises
    ------
    ValueError
        The bytes are not those of the SHA-256.
    """
    path = download.path
    if path.exists():
        content = path.read_bytes()
        check(content, download, path)
        return content
    print(f"Downloading {download.url} to {path}", flush=True)
    with urlopen(download.url, timeout=120) as response:
        content = response.read()
    check(content, download, download.url)
    path.parent.mkdir(parents=True, exist_ok=True)
    # two processes may download at once: whole files only
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(path)
    return content


def check(content, download, place):
    """Refuse what is not the file that was asked for."""
    found = hashlib.sha256(content).hexdigest()
    if found != download.sha256:
        raise ValueError(
            f"The SHA-256 of {place} is {found}, not {download.sha256}: it is not the "
            "file that the benchmarks were written for. Remove it to download again."
        )
