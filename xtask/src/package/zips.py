"""Zips the functions as Lambda wants them: `zips.py FOLDER OUT [--stored]` makes `OUT/<name>.zip` of each
`FOLDER/<name>/bootstrap`, compressed unless it is to be only stored.

The same program makes the same bytes, whenever and wherever it is zipped: every entry has the first date that a zip can
hold, and the same attributes.
"""

import sys
import zipfile
from pathlib import Path

folder, out = (Path(argument) for argument in sys.argv[1:3])
is_stored = "--stored" in sys.argv[3:]
out.mkdir(parents=True, exist_ok=True)
for bootstrap in sorted(folder.glob("*/bootstrap")):
    entry = zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0))
    # A regular file that everybody may execute, zipped on Unix.
    entry.external_attr = 0o100755 << 16
    entry.create_system = 3
    entry.compress_type = zipfile.ZIP_STORED if is_stored else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(out / f"{bootstrap.parent.name}.zip", "w", compresslevel=9) as zipped:
        zipped.writestr(entry, bootstrap.read_bytes())
