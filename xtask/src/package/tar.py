"""Packs a folder: `tar.py FOLDER OUT` makes the file OUT, a compressed tar, of FOLDER under its own name.

The same files make the same bytes, whenever and by whomever they are packed: an entry has no time, no owner, and one of two
modes.
"""

import gzip
import sys
import tarfile
from pathlib import Path

folder, out = (Path(argument) for argument in sys.argv[1:])


def without_origin(entry):
    entry.mtime = entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.isdir() else 0o644
    return entry


with out.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as compressed:
    with tarfile.open(fileobj=compressed, mode="w") as tar:
        # `add` takes what a folder holds in the order of names.
        tar.add(folder, folder.name, filter=without_origin)
