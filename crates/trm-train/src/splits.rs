//! What a command that makes data writes.

use crate::Error;
use crate::dataset::{Dataset, Origin};
use crate::files::{create_folder, read, write_atomic, write_folder_atomic};
use std::path::Path;

/// The two splits of a data set.
pub struct Splits {
    /// To learn from.
    pub train: Dataset,
    /// To measure on.
    pub test: Dataset,
    /// Puzzles left out because their class was there already.
    pub duplicates: usize,
    /// Names of the puzzle identifiers, the blank one first.
    pub identifiers: Vec<String>,
}

impl Splits {
    /// Two splits without identifiers of their own.
    pub fn new(train: Dataset, test: Dataset, duplicates: usize) -> Splits {
        Splits { train, test, duplicates, identifiers: vec!["<blank>".into()] }
    }

    /// Writes both splits and the list of identifiers, all or nothing.
    ///
    /// # Errors
    /// If the folder exists, or the operating system refuses.
    pub fn save(&self, folder: &Path) -> Result<(), Error> {
        if folder.exists() {
            return Err(Error::file(folder, "exists already: choose another --out"));
        }
        if let Some(parent) = folder.parent() {
            create_folder(parent)?;
        }
        write_folder_atomic(folder, |folder| {
            self.train.save(folder, "train")?;
            self.test.save(folder, "test")?;
            let names = serde_json::to_vec(&self.identifiers).expect("names are JSON");
            write_atomic(&folder.join("identifiers.json"), &names)
        })
    }
}

/// A file as the origin of data.
pub(crate) fn origin_of(file: &Path, seed: u64) -> Result<Origin, Error> {
    let digest = blake3::hash(&read(file)?).to_string();
    let source = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Origin { source, seed, digest })
}
