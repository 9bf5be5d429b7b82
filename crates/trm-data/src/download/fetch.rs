//! Fetches a file whose digest is known beforehand; goes on where an earlier attempt ended.

use super::originals::Original;
use super::part::{Part, hash};
use crate::Error;
use crate::text::{foreign, hex};
use crate::web::{Secrets, below, shown};
use std::path::Path;
use std::time::Duration;
use ureq::http::Response;
use ureq::{Agent, Body};

/// How a file came to be where it is.
#[derive(Debug, PartialEq)]
pub enum Fetched {
    /// It was there already.
    WasThere,
    /// All of it came.
    Anew,
    /// The rest of it came.
    Resumed,
}

/// Fetches `BASE/NAME` into a folder. It has its own name there only once its digest is right; until
/// then it is `NAME.part`. A file of that name is never replaced. `progress` hears how many bytes are there, and of
/// how many if that is known.
///
/// # Errors
/// If it cannot be fetched, is not the published file, or another file has its name already.
pub fn fetch(
    agent: &Agent,
    file: &Original,
    base: &str,
    folder: &Path,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<Fetched, Error> {
    let path = folder.join(file.name);
    if path.exists() {
        return was_there(file, &path);
    }
    let source = Source { agent, address: below(base, file.name), folder, file };
    let mut part = Part::find(folder.join(format!("{}.part", file.name)))?;
    let old = part.size;
    let mut fetched = Fetched::Resumed;
    if part.digest() != file.sha256 {
        let (response, rest) = source.ask(part.size)?;
        if !rest {
            part.forget();
            fetched = Fetched::Anew;
        }
        part.receive(response, &source, progress)?;
    }
    let digest = part.digest();
    if digest == file.sha256 {
        part.rename(&path)?;
        return Ok(fetched);
    }
    let wrong = folder.join(format!("{}.wrong", file.name));
    part.rename(&wrong)?;
    let again = if old > 0 { "run the command again to fetch it anew, or " } else { "" };
    let address = shown(&source.address);
    let (wrong, expected) = (wrong.display(), file.sha256);
    Err(Error::Failed(format!(
        "{address} is not the published file (sha256 {digest}, expected {expected}) and is kept as \
         {wrong}: {again}name another source with --base-url"
    )))
}

fn was_there(file: &Original, path: &Path) -> Result<Fetched, Error> {
    let (hash, _) = hash(path)?;
    let digest = hex(hash);
    if digest == file.sha256 {
        return Ok(Fetched::WasThere);
    }
    let expected = file.sha256;
    let message = format!(
        "exists already and is not the published file (sha256 {digest}, expected {expected}): move it \
         away, or choose another --out"
    );
    Err(Error::file(path, message))
}

/// A file at an address, and the folder it shall come to.
pub(super) struct Source<'a> {
    agent: &'a Agent,
    address: String,
    folder: &'a Path,
    pub(super) file: &'a Original,
}

impl Source<'_> {
    /// The answer of the server, and whether it is only the rest of the file from `offset` on.
    fn ask(&self, offset: u64) -> Result<(Response<Body>, bool), Error> {
        let mut response = self.request(offset)?;
        if offset > 0 && response.status() == 416 {
            response = self.request(0)?;
        }
        let rest = offset > 0 && response.status() == 206;
        if !rest && response.status() != 200 {
            return Err(self.failed(&format!("the server answers {}", response.status())));
        }
        if response.body().mime_type() == Some("text/html") {
            let page =
                "the answer is a web page and not the file (does your network ask to log in?)";
            return Err(self.failed(page));
        }
        let start = if rest { offset } else { 0 };
        let total = response.body().content_length().map(|length| start + length);
        match (total, self.file.size) {
            (Some(total), Some(size)) if total != size => {
                let reason = format!("it has {total} bytes there, but was published with {size}");
                Err(self.failed(&reason))
            }
            (Some(total), None) if total > self.file.most() => {
                Err(self.failed(&format!("it has {total} bytes there, too many for this file")))
            }
            _ => Ok((response, rest)),
        }
    }

    fn request(&self, offset: u64) -> Result<Response<Body>, Error> {
        let request = self.agent.get(&self.address).header("Accept-Encoding", "identity");
        let request = match offset {
            0 => request,
            _ => request.header("Range", format!("bytes={offset}-")),
        };
        request.call().map_err(|error| match error {
            ureq::Error::Io(_) | ureq::Error::HostNotFound => {
                self.failed(&format!("no connection ({})", reason(&error)))
            }
            error => self.failed(&reason(&error)),
        })
    }

    pub(super) fn failed(&self, reason: &str) -> Error {
        let (address, folder) = (shown(&self.address), self.folder.display());
        let reason = foreign(&Secrets::of(&self.address).hide(reason));
        Error::Failed(format!(
            "cannot fetch {address}: {reason}; fetch it by hand into {folder}, or name a mirror with \
             --base-url"
        ))
    }

    pub(super) fn broken(&self, received: u64, reason: &str) -> Error {
        let address = shown(&self.address);
        let reason = foreign(&Secrets::of(&self.address).hide(reason));
        Error::Failed(format!(
            "{address}: the connection broke after {received} bytes ({reason}): run the command \
             again to go on from there"
        ))
    }
}

/// Gives up on servers that say nothing for a minute, but not on slow ones. Proxies are those of
/// the environment.
pub fn agent() -> Agent {
    let patience = Some(Duration::from_secs(60));
    Agent::config_builder()
        .http_status_as_error(false)
        .timeout_resolve(patience)
        .timeout_connect(patience)
        .timeout_recv_response(patience)
        .timeout_per_read(patience)
        .user_agent(concat!("trm/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

pub(super) fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::Timeout(_) => "no answer for a minute".into(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::download::server::{Manner, Server};
    use sha2::{Digest, Sha256};
    use std::fs::{self, File};

    /// A hundred thousand bytes and their entry in a table of originals.
    fn published() -> (Vec<u8>, Original) {
        let bytes: Vec<u8> =
            (0..100_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let digest = hex(Sha256::new_with_prefix(&bytes)).leak();
        (bytes, Original { name: "a.csv", size: Some(100_000), sha256: digest })
    }

    struct Trial {
        bytes: Vec<u8>,
        original: Original,
        folder: tempfile::TempDir,
    }

    impl Trial {
        fn new() -> Trial {
            let (bytes, original) = published();
            Trial { bytes, original, folder: tempfile::tempdir().unwrap() }
        }

        fn fetch(&self, server: &Server) -> Result<Fetched, Error> {
            let agent = Agent::config_builder().http_status_as_error(false).proxy(None).build();
            let folder = self.folder.path().join("new");
            fetch(&agent.into(), &self.original, &server.address, &folder, &mut |_, _| ())
        }

        fn serve(&self, manners: &[Manner]) -> Server {
            Server::new(&[("a.csv", &self.bytes)], manners)
        }

        /// The contents of the only file in the folder, which must have this name.
        fn only(&self, name: &str) -> Vec<u8> {
            let folder = self.folder.path().join("new");
            let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name());
            assert_eq!(names.collect::<Vec<_>>(), [name]);
            fs::read(folder.join(name)).unwrap()
        }
    }

    #[test]
    fn a_file_is_fetched_once() {
        let trial = Trial::new();
        let server = trial.serve(&[Manner::Whole]);
        assert_eq!(trial.fetch(&server).unwrap(), Fetched::Anew);
        assert_eq!(trial.only("a.csv"), trial.bytes);
        assert_eq!(trial.fetch(&server).unwrap(), Fetched::WasThere);
        assert_eq!(server.requests(), ["/a.csv"]);
    }

    #[test]
    fn a_broken_download_goes_on_where_it_ended() {
        let trial = Trial::new();
        let server = trial.serve(&[Manner::CutAfter(40_000), Manner::Redirect, Manner::Whole]);
        let message = trial.fetch(&server).unwrap_err().to_string();
        assert!(message.contains("a.csv: the connection broke after 40000 bytes"), "{message}");
        assert_eq!(trial.only("a.csv.part"), trial.bytes[..40_000]);
        assert_eq!(trial.fetch(&server).unwrap(), Fetched::Resumed);
        assert_eq!(trial.only("a.csv"), trial.bytes);
        let expected = ["/a.csv", "/a.csv bytes=40000-", "/moved/a.csv bytes=40000-"];
        assert_eq!(server.requests(), expected);
    }

    #[test]
    fn a_server_that_cannot_go_on_begins_again() {
        for manners in [vec![Manner::WithoutRanges], vec![Manner::RefusesRanges, Manner::Whole]] {
            let trial = Trial::new();
            let server = trial.serve(&manners);
            fs::create_dir(trial.folder.path().join("new")).unwrap();
            fs::write(trial.folder.path().join("new/a.csv.part"), b"something else").unwrap();
            assert_eq!(trial.fetch(&server).unwrap(), Fetched::Anew);
            assert_eq!(trial.only("a.csv"), trial.bytes);
            assert_eq!(server.requests().len(), manners.len());
        }
    }

    #[test]
    fn a_whole_part_needs_no_server() {
        let trial = Trial::new();
        let server = trial.serve(&[Manner::Missing]);
        fs::create_dir(trial.folder.path().join("new")).unwrap();
        fs::write(trial.folder.path().join("new/a.csv.part"), &trial.bytes).unwrap();
        assert_eq!(trial.fetch(&server).unwrap(), Fetched::Resumed);
        assert_eq!(trial.only("a.csv"), trial.bytes);
        assert!(server.requests().is_empty());
    }

    #[test]
    fn a_part_of_another_file_is_set_aside_and_forgotten() {
        let trial = Trial::new();
        let server = trial.serve(&[Manner::Whole]);
        fs::create_dir(trial.folder.path().join("new")).unwrap();
        fs::write(trial.folder.path().join("new/a.csv.part"), b"something else").unwrap();
        let message = trial.fetch(&server).unwrap_err().to_string();
        assert!(message.contains("a.csv.wrong: run the command again"), "{message}");
        fs::remove_file(trial.folder.path().join("new/a.csv.wrong")).unwrap();
        assert_eq!(trial.fetch(&server).unwrap(), Fetched::Anew);
        assert_eq!(trial.only("a.csv"), trial.bytes);
    }

    #[test]
    fn what_is_not_the_file_is_refused_before_it_is_written() {
        let trial = Trial::new();
        let refused = |manner: Manner, files: &[(&str, &[u8])]| {
            let server = Server::new(files, &[manner]);
            let message = trial.fetch(&server).unwrap_err().to_string();
            assert!(!trial.folder.path().join("new").exists());
            message
        };
        let page = refused(Manner::Page, &[("a.csv", &trial.bytes)]);
        assert!(page.contains("the answer is a web page"), "{page}");
        let short = refused(Manner::Whole, &[("a.csv", b"short")]);
        assert!(short.contains("it has 5 bytes there, but was published with 100000"), "{short}");
    }

    #[test]
    fn a_body_without_a_length_ends_at_the_published_size() {
        let trial = Trial::new();
        let server = trial.serve(&[Manner::WithoutLength]);
        assert_eq!(trial.fetch(&server).unwrap(), Fetched::Anew);
        assert_eq!(trial.only("a.csv"), trial.bytes);

        let trial = Trial::new();
        let server = trial.serve(&[Manner::Endless]);
        let message = trial.fetch(&server).unwrap_err().to_string();
        assert!(message.contains("sends more than the 100000 bytes"), "{message}");
        assert_eq!(fs::read_dir(trial.folder.path().join("new")).unwrap().count(), 0);
    }

    #[test]
    fn a_file_is_fetched_by_one_process_at_a_time() {
        let trial = Trial::new();
        let server = trial.serve(&[Manner::Whole]);
        fs::create_dir(trial.folder.path().join("new")).unwrap();
        let part = File::create(trial.folder.path().join("new/a.csv.part")).unwrap();
        part.lock().unwrap();
        let message = trial.fetch(&server).unwrap_err().to_string();
        assert!(message.contains("another process is fetching it"), "{message}");
    }
}
