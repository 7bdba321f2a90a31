//! The program of the functions as Lambda takes it: a zip with one file.

use crate::Error;
use std::fs;
use std::io::Write;
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// How small a zip is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// The program as it is, in no time.
    None,
    /// Small, by Zopfli: a thirtieth smaller than zlib makes it, in some twenty seconds.
    Small,
}

/// How many bytes Zopfli splits into blocks at a time. It makes the same number of blocks of each part, so all at once would be too few.
const PART: usize = 250_000;

/// Zips a program into the file `bootstrap.zip` of a folder, which is made if it is missing.
///
/// The same program makes the same bytes, whenever and wherever it is zipped: its entry has the first date that a zip can hold,
/// and always the same attributes.
///
/// # Errors
///
/// When a file cannot be read or written.
pub fn zip(program: &Path, into: &Path, compression: Compression) -> Result<(), Error> {
    let read = fs::read(program).map_err(Error::file(format!("reading {}", program.display())))?;
    let writing = || format!("writing bootstrap.zip into {}", into.display());
    fs::create_dir_all(into).map_err(Error::file(writing()))?;
    let file = fs::File::create(into.join("bootstrap.zip")).map_err(Error::file(writing()))?;
    let options = SimpleFileOptions::default()
        .compression_method(match compression {
            Compression::None => CompressionMethod::Stored,
            Compression::Small => CompressionMethod::Deflated,
        })
        .last_modified_time(DateTime::DEFAULT)
        // Everybody may execute it.
        .unix_permissions(0o755);
    let mut zip = ZipWriter::new(file);
    let refused = |error: zip::result::ZipError| Error::Call(format!("{}: {error}", writing()));
    zip.start_file("bootstrap", options).map_err(refused)?;
    for part in read.chunks(PART) {
        zip.write_all(part).map_err(Error::file(writing()))?;
    }
    zip.finish().map_err(refused)?;
    Ok(())
}
