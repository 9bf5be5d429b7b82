//! How files come from the hub: what it says of them, their bytes, and whether these are right.

use crate::download::agent;
use crate::text::{foreign, hex};
use crate::web::{Secrets, below, shown};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use ureq::http::Response;
use ureq::{Agent, Body};

/// The largest file that is fetched.
const MOST: u64 = 8 << 30;

/// The longest list of files that is read.
const LISTING: u64 = 8 << 20;

/// A hub, and who asks.
pub(super) struct Hub {
    agent: Agent,
    endpoint: String,
    token: Option<String>,
    secrets: Secrets,
}

/// The files of a revision.
pub(super) struct Listing {
    /// The commit that it stands for.
    pub commit: String,
    /// What is known of them, by name.
    pub files: BTreeMap<String, Known>,
}

/// What a hub says of a file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Known {
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<Large>,
}

/// A file that lies outside of the repository, under its digest.
#[derive(Deserialize)]
struct Large {
    sha256: String,
    size: u64,
}

#[derive(Deserialize)]
struct Info {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    #[serde(flatten)]
    known: Known,
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Hub {
    /// The hub that `HF_ENDPOINT` names, or the usual one. `HF_TOKEN`, or the token that is kept beside the cache,
    /// goes along.
    pub(super) fn new(kept: Option<String>) -> Result<Hub, String> {
        let set = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
        let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into());
        if !["http://", "https://"].iter().any(|scheme| endpoint.starts_with(scheme)) {
            return Err(format!("HF_ENDPOINT: `{}` is no address", foreign(&endpoint)));
        }
        let token = set("HF_TOKEN").or(kept);
        let mut secrets = Secrets::of(&endpoint);
        token.iter().for_each(|token| secrets.add(token));
        Ok(Hub { agent: agent(), endpoint, token, secrets })
    }

    fn get(&self, path: &str) -> Result<Response<Body>, String> {
        let address = below(&self.endpoint, path);
        let request = self.agent.get(&address).header("Accept-Encoding", "identity");
        let request = match &self.token {
            Some(token) => request.header("Authorization", format!("Bearer {token}")),
            None => request,
        };
        let place = shown(&address);
        let response = request.call().map_err(|error| {
            let reason = foreign(&self.secrets.hide(&error.to_string()));
            format!("{place}: {reason}")
        })?;
        match response.status().as_u16() {
            200 => Ok(response),
            401 | 403 | 404 => Err(format!(
                "{place} answers {}: there is no such model or revision, or it is private and HF_TOKEN does not open it",
                response.status().as_u16()
            )),
            status => Err(format!("{place} answers {status}")),
        }
    }

    /// What a revision consists of.
    pub(super) fn listing(&self, model: &str, revision: &str) -> Result<Listing, String> {
        let revision = revision.replace('/', "%2F");
        let path = format!("api/models/{model}/revision/{revision}?blobs=true");
        let mut text = String::new();
        let body = self.get(&path)?.into_body().into_reader().take(LISTING);
        let read = io::BufReader::new(body).read_to_string(&mut text);
        read.map_err(|error| format!("the list of files: {error}"))?;
        let info: Info = serde_json::from_str(&text)
            .map_err(|error| format!("the list of files is not that of a hub: {error}"))?;
        if !is_hex(&info.sha, 40) {
            return Err(format!("`{}` is no commit", foreign(&info.sha)));
        }
        let files = info.siblings.into_iter().map(|file| (file.rfilename, file.known)).collect();
        Ok(Listing { commit: info.sha, files })
    }

    /// Brings a file of a commit into its folder, by way of the cache's blobs; gives how many bytes had to be
    /// fetched.
    pub(super) fn bring(
        &self,
        model: &str,
        (commit, name): (&str, &str),
        known: &Known,
        folder: &Path,
    ) -> Result<u64, String> {
        let pointer = folder.join(name);
        if pointer.exists() {
            return Ok(0);
        }
        let (size, id, digest) = known.told().ok_or_else(|| {
            format!("{name}: the hub does not say how large it is and under which digest it lies")
        })?;
        if size > MOST {
            return Err(format!("{name}: {size} bytes, too many for a model"));
        }
        let blobs = folder.ancestors().nth(2).expect("a snapshot of a model").join("blobs");
        let unwritten = |error: io::Error| format!("{}: {error}", folder.display());
        fs::create_dir_all(&blobs).and(fs::create_dir_all(folder)).map_err(unwritten)?;
        let blob = blobs.join(id);
        let mut fetched = 0;
        if !blob.exists() {
            let body = self.get(&format!("{model}/resolve/{commit}/{name}"))?.into_body();
            receive(body, (name, size, digest), &blob)?;
            fetched = size;
        }
        link(&blob, &pointer).map_err(unwritten)?;
        Ok(fetched)
    }
}

impl Known {
    /// Its size, the name of its blob, and its digest if that is a SHA-256.
    fn told(&self) -> Option<(u64, &str, Option<&str>)> {
        match &self.lfs {
            Some(Large { sha256, size }) => {
                is_hex(sha256, 64).then_some((*size, &sha256[..], Some(&sha256[..])))
            }
            None => {
                let id = self.blob_id.as_deref().filter(|id| is_hex(id, 40))?;
                Some((self.size?, id, None))
            }
        }
    }
}

/// Writes a body to a blob, which has its name only once it is right.
fn receive(
    body: Body,
    (name, size, digest): (&str, u64, Option<&str>),
    blob: &Path,
) -> Result<(), String> {
    let part = blob.with_extension(format!("{}.incomplete", std::process::id()));
    let received = File::create(&part).map_err(|e| format!("{}: {e}", part.display()));
    let received = received.and_then(|mut file| {
        let mut reader = body.into_reader().take(size + 1);
        let (mut hash, mut count, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 16]);
        loop {
            let read = reader.read(&mut buffer).map_err(|e| format!("{name}: broken off: {e}"))?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            count += read as u64;
            file.write_all(&buffer[..read]).map_err(|e| format!("{}: {e}", part.display()))?;
        }
        if count != size {
            let found = if count > size { "more".to_owned() } else { count.to_string() };
            return Err(format!("{name}: {found} bytes came, not the {size} that the hub names"));
        }
        let found = hex(hash);
        match digest.filter(|digest| !digest.eq_ignore_ascii_case(&found)) {
            Some(digest) => Err(format!("{name}: sha256 {found}, but the hub names {digest}")),
            None => file.sync_all().map_err(|e| format!("{}: {e}", part.display())),
        }
    });
    let renamed = received
        .and_then(|()| fs::rename(&part, blob).map_err(|e| format!("{}: {e}", blob.display())));
    renamed.inspect_err(|_| drop(fs::remove_file(&part)))
}

/// Makes a file of a snapshot from a blob: a link where there are links.
fn link(blob: &Path, pointer: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let name = blob.file_name().expect("a blob has a name");
        std::os::unix::fs::symlink(Path::new("../../blobs").join(name), pointer)
    }
    #[cfg(not(unix))]
    {
        fs::copy(blob, pointer).map(drop)
    }
}
