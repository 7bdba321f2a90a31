"""Zips the program of the functions as Lambda wants it: `zip.py PROGRAM OUT [--stored]` makes `OUT/bootstrap.zip`, compressed unless
it is to be only stored.

The same program makes the same bytes, whenever and wherever it is zipped: its entry has the first date that a zip can hold,
and always the same attributes.
"""

import sys
import zipfile
from pathlib import Path

program, out = (Path(argument) for argument in sys.argv[1:3])
is_stored = "--stored" in sys.argv[3:]
out.mkdir(parents=True, exist_ok=True)
entry = zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0))
# A regular file that everybody may execute, zipped on Unix.
entry.external_attr = 0o100755 << 16
entry.create_system = 3
entry.compress_type = zipfile.ZIP_STORED if is_stored else zipfile.ZIP_DEFLATED
with zipfile.ZipFile(out / "bootstrap.zip", "w", compresslevel=9) as zipped:
    zipped.writestr(entry, program.read_bytes())
