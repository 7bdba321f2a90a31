"""Lists what others wrote of what is released: `parts.py VERSION TREE METADATA LOCK NPM OUT`.

- `OUT/ecr-deploy.cdx.json`: the bill of materials, CycloneDX 1.6, of the functions and the command, with what Rust and Zig link
  into each program. The packages that the construct finds at its user's, and does not hold, are in it as excluded.
- `OUT/LICENSES.txt`: the licence of each part, with its text, as most licences ask for.

`TREE` is what `cargo tree` prints as `name vVERSION[ (...)]|licence`, `METADATA` what `cargo metadata` prints, `LOCK` is
Cargo.lock, and `NPM` is the package.json of the CDK app. The same input makes the same bytes.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import ziglang
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

version, tree, metadata, lock, npm, out = sys.argv[1:]
out = Path(out)
licence_of = LicenseFactory().make_from_string


def crates():
    """Each crate of the registry that is compiled into a program: name, version, licence."""
    found = set()
    for line in Path(tree).read_text().splitlines():
        # A crate that was printed with its own crates before ends with a mark.
        described, _, licence = line.removesuffix(" (*)").partition("|")
        words = described.split()
        # A crate of our own has its folder behind its version.
        if len(words) > 1 and not any(word.startswith("(/") for word in words[2:]):
            found.add((words[0], words[1].removeprefix("v"), licence))
    return sorted(found)


def checksums():
    """The SHA-256 of each crate, by name and version."""
    entry = r'name = "([^"]+)"\nversion = "([^"]+)"\nsource = "[^"]+"\nchecksum = "([0-9a-f]{64})"'
    return {(name, of): checksum for name, of, checksum in re.findall(entry, Path(lock).read_text())}


def texts(folder):
    """The texts of licences and notices in a crate's folder."""
    named = re.compile(r"(LICEN[CS]E|COPYING|COPYRIGHT|NOTICE|UNLICENSE)", re.IGNORECASE)
    files = [it for it in sorted(folder.iterdir()) if it.is_file() and named.match(it.name) and it.suffix != ".html"]
    return [it.read_text(errors="replace").strip() for it in files]


def toolchain(*words):
    """The answer of rustc to these words."""
    return subprocess.run(["rustc", *words], check=True, capture_output=True, text=True).stdout.strip()


def linked():
    """The parts that the compilers link into the programs: name, version, licence, texts."""
    zig = Path(ziglang.__file__).parent / "lib"
    return [
        ("libunwind of LLVM", None, "Apache-2.0 WITH LLVM-exception", [(zig / "libunwind/LICENSE.TXT").read_text()]),
        ("musl", None, "MIT", [(zig / "libc/musl/COPYRIGHT").read_text()]),
        ("standard library of Rust", toolchain("--version").split()[1], "MIT OR Apache-2.0", [STANDARD["MIT"], STANDARD["Apache-2.0"]]),
    ]


def component(ecosystem, name, of, licence, checksum):
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=of,
        bom_ref=f"{ecosystem}:{name}@{of}",
        purl=PackageURL(ecosystem, None, name, of),
        licenses=[licence_of(licence.replace("/", " OR "))] if licence else [],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=checksum)] if checksum else [],
    )


# The texts of licences that come with the compiler.
STANDARD = {it.stem: it.read_text().strip() for it in Path(toolchain("--print", "sysroot"), "share/doc/rust/licenses").glob("*.txt")}

rust = crates()
hashes = checksums()
peers = json.loads(Path(npm).read_text())["dependencies"]
ours = Component(type=ComponentType.APPLICATION, name="ecr-deploy", version=version, bom_ref="ecr-deploy", licenses=[licence_of("MIT")])
bom = Bom(components=[component("cargo", name, of, licence, hashes.get((name, of))) for name, of, licence in rust])
for name in ("aws-cdk-lib", "constructs"):
    peer = component("npm", name, peers[name], "Apache-2.0", None)
    peer.scope = ComponentScope.EXCLUDED
    bom.components.add(peer)
for name, of, licence, _ in linked():
    bom.components.add(Component(type=ComponentType.LIBRARY, name=name, version=of, bom_ref=name, licenses=[licence_of(licence)]))
bom.metadata.component = ours
bom.register_dependency(ours, bom.components)
written = json.loads(JsonV1Dot6(bom).output_as_string())
# The time and the number of the document are of the run, and not of what it lists.
written["metadata"].pop("timestamp", None)
written.pop("serialNumber", None)
(out / "ecr-deploy.cdx.json").write_text(json.dumps(written, indent=2, sort_keys=True) + "\n")

folders = {(it["name"], it["version"]): Path(it["manifest_path"]).parent for it in json.loads(Path(metadata).read_text())["packages"]}
parts = [(name, of, licence, texts(folders[name, of])) for name, of, licence in rust] + linked()
by_text = {}
without = []
listed = []
for name, of, licence, found in parts:
    part = f"{name} {of}" if of else name
    listed.append(f"{part}: {licence}")
    if not found:
        without.append(f"{part}: {licence}")
        found = [text for of_name, text in STANDARD.items() if of_name in re.split(r"[ ()/]+", licence)]
    for text in found:
        by_text.setdefault(text.strip(), []).append(part)
pages = [f"Parts of ecr-deploy {version} that others wrote, and their licences.\n\n" + "\n".join(listed)]
if without:
    pages.append("These hold no text of their licence. Its standard text stands below:\n\n" + "\n".join(without))
pages += [f"{', '.join(of)}:\n\n{text}" for text, of in sorted(by_text.items(), key=lambda it: it[1])]
(out / "LICENSES.txt").write_text(f"\n\n{'-' * 80}\n\n".join(pages) + "\n")
