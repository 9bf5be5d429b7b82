//! Models of the hub, in the cache that its other programs use: `hf:OWNER/NAME` or `hf:OWNER/NAME@REVISION`.
//!
//! The layout of the cache is that of the `hf-hub` crate; the transfer is our own, with bounds and digests (decision
//! 23). Nothing that comes is executed.

mod transfer;

use crate::Error;
use crate::text::foreign;
use hf_hub::{Cache, Repo, RepoType};
use std::env;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use transfer::Hub;

/// What a name of the hub begins with.
const PREFIX: &str = "hf:";

/// A model of the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubName {
    /// `OWNER/NAME`.
    model: String,
    revision: Option<String>,
}

impl Display for HubName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.model)?;
        self.revision.iter().try_for_each(|revision| write!(f, "@{revision}"))
    }
}

impl HubName {
    /// Reads a name; `None` if it is a path of files instead.
    ///
    /// ```
    /// use trm_data::HubName;
    ///
    /// let name = HubName::parse("hf:somebody/sudoku@v2").unwrap().unwrap();
    /// assert_eq!((name.short(), name.to_string().as_str()), ("sudoku", "hf:somebody/sudoku@v2"));
    /// assert!(HubName::parse("runs/sudoku").is_none());
    /// assert!(HubName::parse("hf:../sudoku").unwrap().is_err());
    /// ```
    ///
    /// # Errors
    /// If it begins like a name and is none.
    pub fn parse(text: &str) -> Option<Result<HubName, Error>> {
        let name = text.strip_prefix(PREFIX)?;
        let (model, revision) = match name.split_once('@') {
            Some((model, revision)) => (model, Some(revision)),
            None => (name, None),
        };
        let fits = |part: &str| {
            let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            !part.is_empty() && part.len() <= 96 && part.chars().all(known) && !part.contains("..")
        };
        let is_model = model.split('/').count() == 2 && model.split('/').all(fits);
        let is_revision = revision.is_none_or(|revision| revision.split('/').all(fits));
        Some(match is_model && is_revision {
            true => Ok(HubName { model: model.into(), revision: revision.map(str::to_owned) }),
            false => Err(Error::Failed(format!(
                "`{}` names no model of the hub: it looks like {PREFIX}OWNER/NAME or {PREFIX}OWNER/NAME@REVISION",
                foreign(text)
            ))),
        })
    }

    /// The name without its owner and revision.
    pub fn short(&self) -> &str {
        self.model.rsplit('/').next().unwrap_or_default()
    }

    fn repo(&self) -> Repo {
        let revision = self.revision.clone().unwrap_or_else(|| "main".into());
        Repo::with_revision(self.model.clone(), RepoType::Model, revision)
    }

    fn failed(&self, why: impl Display) -> Error {
        Error::Failed(format!("{self}: {why}"))
    }

    /// The folder of the model in the cache, as it was when it was last pulled; it is pulled if it never was.
    ///
    /// # Errors
    /// If it is not in the cache and cannot be pulled.
    pub fn folder(&self) -> Result<PathBuf, Error> {
        match self.cached()? {
            Some(folder) => Ok(folder),
            None => self.pull().map(|pulled| pulled.folder),
        }
    }

    fn cached(&self) -> Result<Option<PathBuf>, Error> {
        let cache = Cache::new(cache_folder().map_err(|why| self.failed(why))?);
        let repo = cache.repo(self.repo());
        let there = NEEDED.map(|file| repo.get(file));
        let all = there.iter().all(Option::is_some);
        let [config, _] = there;
        Ok(config.filter(|_| all).and_then(|config| config.parent().map(Path::to_owned)))
    }

    /// Fetches the newest files of the revision, as far as the cache does not have them.
    ///
    /// # Errors
    /// If the hub cannot be reached or has no such model, if that is none of this program, or if files do not have
    /// the sizes and digests that the hub names.
    pub fn pull(&self) -> Result<Pulled, Error> {
        if env::var("HF_HUB_OFFLINE").is_ok_and(|value| !["", "0"].contains(&&value[..])) {
            return Err(self.failed("HF_HUB_OFFLINE is set: nothing is fetched"));
        }
        let cache = Cache::new(cache_folder().map_err(|why| self.failed(why))?);
        let failed = |why: String| self.failed(why);
        let hub = Hub::new(cache.token()).map_err(failed)?;
        let listing = hub.listing(&self.model, self.repo().revision()).map_err(failed)?;
        if let Some(missing) = NEEDED.iter().find(|file| !listing.files.contains_key(**file)) {
            let names: Vec<&str> = listing.files.keys().map(String::as_str).collect();
            return Err(self.failed(format!(
                "no model of trm: it has no {missing}, only {}; checkpoints of PyTorch are read by `trm import`",
                foreign(&names.join(", "))
            )));
        }
        let repo = cache.repo(self.repo());
        let folder = repo.pointer_path(&listing.commit);
        let mut fetched = 0;
        for name in NEEDED.iter().chain(&MORE) {
            let Some(file) = listing.files.get(*name) else { continue };
            fetched +=
                hub.bring(&self.model, (&listing.commit, name), file, &folder).map_err(failed)?;
        }
        repo.create_ref(&listing.commit).map_err(Error::io("write", cache.path()))?;
        Ok(Pulled { folder, commit: listing.commit, fetched })
    }
}

/// What has been pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The folder of the model.
    pub folder: PathBuf,
    /// The commit that the revision stands for.
    pub commit: String,
    /// Bytes that had to be fetched.
    pub fetched: u64,
}

/// What a model consists of.
const NEEDED: [&str; 2] = ["config.json", "model.safetensors"];

/// What may be beside it.
const MORE: [&str; 3] = ["provenance.json", "recipe.toml", "README.md"];

/// The folder of the cache: `HF_HUB_CACHE`, `HF_HOME/hub`, or that in the user's cache.
fn cache_folder() -> Result<PathBuf, String> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = set("HF_HOME")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("huggingface")))
        .or_else(|| env::home_dir().map(|home| home.join(".cache/huggingface")));
    let folder = set("HF_HUB_CACHE").or_else(|| home.map(|home| home.join("hub")));
    let folder = folder.ok_or("no home folder: set HF_HOME")?;
    std::path::absolute(&folder).map_err(|error| format!("{}: {error}", folder.display()))
}
