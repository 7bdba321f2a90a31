//! The images of `verify`: a program of a few instructions, for two processors, in one layer. Pure.
//!
//! They are made here, byte by byte, so that nobody needs an image, a builder or a registry to copy from, and so that
//! what the sandbox runs can be read on one page: the program waits for ever, and exits with code 1 where it gets an
//! argument. The broken image differs from a good one by that argument alone.
//!
//! A push is that of an index, as builders make it: two images without a tag, then what lists them. So the cluster's
//! processor does not matter.
//!
//! <https://github.com/opencontainers/image-spec/blob/main/manifest.md>

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The media type of a manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The name of the program in the layer.
const PROGRAM: &str = "wait";

/// Which of the images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The one that the service runs first. It gets no tag, so that it is no push.
    First,
    /// The good push.
    Good,
    /// The broken one: its program exits with code 1.
    Broken,
}

impl Kind {
    /// Its name, in a label of the image: without it two images would be the same.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Good => "good",
            Self::Broken => "broken",
        }
    }
}

/// Something in a registry that is known by its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// `sha256:…`.
    pub digest: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Blob {
    fn new(bytes: Vec<u8>) -> Self {
        let hash = Sha256::digest(&bytes);
        let hex = hash.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        Self {
            digest: format!("sha256:{hex}"),
            bytes,
        }
    }

    fn of_json(json: &Value) -> Self {
        Self::new(json.to_string().into_bytes())
    }

    /// The bytes of a document.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    fn entry(&self, media_type: &str) -> Value {
        json!({"mediaType": media_type, "digest": self.digest, "size": self.bytes.len()})
    }
}

/// An image, with everything that it needs in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The layers and the configs.
    pub blobs: Vec<Blob>,
    /// The image of each processor.
    pub images: Vec<Blob>,
    /// The index that lists them.
    pub index: Blob,
}

/// The processors, with their program.
const PROCESSORS: [(&str, u16, &[u8]); 2] = [("amd64", 62, X86_64), ("arm64", 183, AARCH64)];

/// Builds one of the images.
#[must_use]
pub fn build(kind: Kind) -> Built {
    let (mut blobs, mut images, mut listed) = (Vec::new(), Vec::new(), Vec::new());
    for (architecture, machine, code) in PROCESSORS {
        let tar = Blob::new(tar(PROGRAM, &elf(machine, code)));
        let layer = Blob::new(gzip(&tar.bytes));
        let arguments: &[&str] = if kind == Kind::Broken { &["fail"] } else { &[] };
        let config = Blob::of_json(&json!({
            "architecture": architecture,
            "os": "linux",
            "config": {
                "Entrypoint": [format!("/{PROGRAM}")],
                "Cmd": arguments,
                "Labels": {"made-by": "ecr-deploy verify", "image": kind.name()},
            },
            "rootfs": {"type": "layers", "diff_ids": [tar.digest]},
            "history": [{"created_by": "ecr-deploy verify"}],
        }));
        let manifest = Blob::of_json(&json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.entry("application/vnd.oci.image.config.v1+json"),
            "layers": [layer.entry("application/vnd.oci.image.layer.v1.tar+gzip")],
        }));
        let mut entry = manifest.entry(MANIFEST);
        entry["platform"] = json!({"architecture": architecture, "os": "linux"});
        listed.push(entry);
        blobs.extend([layer, config]);
        images.push(manifest);
    }
    let index = Blob::of_json(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}));
    Built { blobs, images, index }
}

/// The program for x86-64.
#[rustfmt::skip]
const X86_64: &[u8] = &[
    0x8b, 0x04, 0x24,             // mov eax, [rsp]     how many words it was started with
    0xff, 0xc8,                   // dec eax
    0x75, 0x09,                   // jne exit           more than its own name
    0xb8, 0x22, 0x00, 0x00, 0x00, // wait: mov eax, 34  pause
    0x0f, 0x05,                   // syscall
    0xeb, 0xf7,                   // jmp wait
    0xb8, 0x3c, 0x00, 0x00, 0x00, // exit: mov eax, 60  exit
    0xbf, 0x01, 0x00, 0x00, 0x00, // mov edi, 1
    0x0f, 0x05,                   // syscall
];

/// The same for ARM in 64 bits, which has no `pause`: it waits by `ppoll` for nothing.
#[rustfmt::skip]
const AARCH64: &[u8] = &[
    0xe0, 0x03, 0x40, 0xf9, // ldr x0, [sp]
    0x00, 0x04, 0x00, 0xd1, // sub x0, x0, #1
    0x20, 0x01, 0x00, 0xb5, // cbnz x0, exit
    0x00, 0x00, 0x80, 0xd2, // wait: mov x0, #0
    0x01, 0x00, 0x80, 0xd2, // mov x1, #0
    0x02, 0x00, 0x80, 0xd2, // mov x2, #0
    0x03, 0x00, 0x80, 0xd2, // mov x3, #0
    0x04, 0x00, 0x80, 0xd2, // mov x4, #0
    0x28, 0x09, 0x80, 0xd2, // mov x8, #73        ppoll
    0x01, 0x00, 0x00, 0xd4, // svc #0
    0xf9, 0xff, 0xff, 0x17, // b wait
    0x20, 0x00, 0x80, 0xd2, // exit: mov x0, #1
    0xa8, 0x0b, 0x80, 0xd2, // mov x8, #93        exit
    0x01, 0x00, 0x00, 0xd4, // svc #0
];

/// A program that Linux starts at its first instruction: a header, one segment, the code.
fn elf(machine: u16, code: &[u8]) -> Vec<u8> {
    const HEADERS: u64 = 64 + 56;
    const ADDRESS: u64 = 0x40_0000;
    let size = HEADERS + code.len() as u64;
    // 64 bits, little endian, version 1.
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let put16 = |numbers: &[u16]| numbers.iter().flat_map(|it| it.to_le_bytes()).collect::<Vec<_>>();
    // An executable of this machine.
    file.extend(put16(&[2, machine]));
    file.extend(1u32.to_le_bytes());
    for number in [ADDRESS + HEADERS, 64, 0] {
        file.extend(number.to_le_bytes());
    }
    file.extend(0u32.to_le_bytes());
    // The sizes and numbers of headers: one of a segment, none of a section.
    file.extend(put16(&[64, 56, 1, 64, 0, 0]));
    // A segment to load, which can be read and executed.
    file.extend(1u32.to_le_bytes());
    file.extend(5u32.to_le_bytes());
    for number in [0, ADDRESS, ADDRESS, size, size, 0x1_0000] {
        file.extend(number.to_le_bytes());
    }
    file.extend(code);
    file
}

/// An archive with one executable file. <https://www.gnu.org/software/tar/manual/html_node/Standard.html>
fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 512;
    let mut header = vec![0u8; BLOCK];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000755\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", content.len()));
    put(136, "00000000000\0");
    // The sum is that of a header with spaces in its place.
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header.extend(content);
    // The content fills whole blocks, and two empty ones end the archive.
    header.resize(header.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    header
}

/// The bytes in the format of gzip, not compressed: they are fewer than 64 KiB, and need one block.
/// <https://www.rfc-editor.org/rfc/rfc1951#page-11>
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    file.push(1);
    file.extend(length.to_le_bytes());
    file.extend((!length).to_le_bytes());
    file.extend(&bytes[..usize::from(length)]);
    file.extend(crc32(bytes).to_le_bytes());
    file.extend(u32::from(length).to_le_bytes());
    file
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_sum_of_gzip_is_that_of_its_specification() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn an_image_has_all_that_its_manifests_name_and_no_two_are_the_same() {
        let mut digests = BTreeSet::new();
        for kind in [Kind::First, Kind::Good, Kind::Broken] {
            let built = build(kind);
            assert!(digests.insert(built.index.digest.clone()), "{kind:?}");
            let index: Value = serde_json::from_slice(&built.index.bytes).unwrap();
            let listed = index["manifests"].as_array().unwrap();
            assert_eq!(listed.len(), built.images.len());
            for (entry, image) in listed.iter().zip(&built.images) {
                assert_eq!(entry["digest"], image.digest.as_str());
                assert_eq!(entry["size"], image.bytes.len());
                let manifest: Value = serde_json::from_slice(&image.bytes).unwrap();
                let has = |entry: &Value| {
                    let blob = built.blobs.iter().find(|it| entry["digest"] == it.digest.as_str());
                    blob.is_some_and(|it| entry["size"] == it.bytes.len())
                };
                assert!(has(&manifest["config"]) && has(&manifest["layers"][0]), "{manifest}");
            }
            let config: Value = serde_json::from_slice(&built.blobs[1].bytes).unwrap();
            let arguments = config["config"]["Cmd"].as_array().unwrap().len();
            assert_eq!(arguments, usize::from(kind == Kind::Broken));
        }
    }

    /// The programs of this machine judge what is written here by hand.
    #[test]
    fn the_layer_is_an_archive_with_a_program_that_waits_and_with_an_argument_fails() {
        let folder = std::env::temp_dir().join(format!("verify-image-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let place = PROCESSORS.iter().position(|(name, ..)| {
            *name
                == if cfg!(target_arch = "aarch64") {
                    "arm64"
                } else {
                    "amd64"
                }
        });
        let layer = folder.join("layer.tar.gz");
        std::fs::write(&layer, &build(Kind::Good).blobs[2 * place.unwrap()].bytes).unwrap();
        let unpacked = std::process::Command::new("tar")
            .args(["-xzf", "layer.tar.gz"])
            .current_dir(&folder)
            .status()
            .unwrap();
        assert!(unpacked.success());
        let program = folder.join(PROGRAM);
        let failed = std::process::Command::new(&program).arg("fail").status().unwrap();
        assert_eq!(failed.code(), Some(1));
        let mut waiting = std::process::Command::new(&program).spawn().unwrap();
        #[expect(
            clippy::disallowed_methods,
            reason = "that a program goes on is seen by a program that still goes on later"
        )]
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert_eq!(waiting.try_wait().unwrap(), None);
        waiting.kill().unwrap();
        assert_eq!(waiting.wait().unwrap().code(), None, "it was killed");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
