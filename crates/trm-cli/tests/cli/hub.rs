//! Models of a hub: a server that speaks as it does, and its cache.

use crate::session::Session;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::sync::{Arc, Mutex};

const PUZZLE: &str =
    "..8.2...3.6....2..1.....64....9.3.....7....3.6..5..8.2.4...8..7..6.473.....6.....";
const ONE: &str = "1111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222";

/// What a hub says of a model, and the files that it sends.
#[derive(Clone)]
struct Published {
    commit: &'static str,
    /// Name, contents, and whether the hub names their digest.
    files: BTreeMap<&'static str, Vec<u8>>,
    /// What is sent instead of a file.
    instead: Option<(&'static str, Vec<u8>)>,
}

impl Published {
    fn model() -> Published {
        let read = |name: &str| {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/sudoku-extreme/");
            std::fs::read(format!("{folder}{name}")).unwrap()
        };
        let names = ["config.json", "model.safetensors", "provenance.json", "recipe.toml"];
        let files = names.into_iter().map(|name| (name, read(name))).collect();
        Published { commit: ONE, files, instead: None }
    }

    fn listing(&self) -> String {
        let file = |(name, bytes): (&&str, &Vec<u8>)| {
            let digest =
                Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect::<String>();
            let (id, size) = (&digest[..40], bytes.len());
            let lfs =
                format!("\"lfs\":{{\"sha256\":\"{digest}\",\"size\":{size},\"pointerSize\":130}}");
            let lfs = if name.ends_with(".safetensors") { lfs } else { "\"lfs\":null".into() };
            format!("{{\"rfilename\":\"{name}\",\"size\":{size},\"blobId\":\"{id}\",{lfs}}}")
        };
        let files: Vec<String> = self.files.iter().map(file).collect();
        format!("{{\"id\":\"a/b\",\"sha\":\"{}\",\"siblings\":[{}]}}", self.commit, files.join(","))
    }
}

struct Hub {
    session: Session,
    address: String,
    published: Arc<Mutex<Published>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Hub {
    fn new(published: Published) -> Hub {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let published = Arc::new(Mutex::new(published));
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let (files, heads) = (published.clone(), requests.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let published = files.lock().unwrap().clone();
                answer(stream.unwrap(), &published, &heads);
            }
        });
        Hub { session: Session::new(), address, published, requests }
    }

    fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = self.session.command(arguments);
        for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HF_TOKEN", "HF_HUB_CACHE"] {
            command.env_remove(name);
        }
        command.env("HF_ENDPOINT", &self.address).env("HF_HOME", self.session.path("hf"));
        command.envs(environment.iter().copied()).output().unwrap()
    }

    fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// One line of an error.
    fn refuse(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments, &[]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!output.status.success());
        text
    }

    fn snapshots(&self) -> usize {
        let place = self.session.path("hf/hub/models--a--b/snapshots");
        std::fs::read_dir(place).map_or(0, Iterator::count)
    }
}

fn answer(mut stream: TcpStream, published: &Published, heads: &Mutex<Vec<String>>) {
    let mut head = String::new();
    let mut reader = BufReader::new(&stream);
    while reader.read_line(&mut head).unwrap() > 2 {}
    let path = head.split(' ').nth(1).unwrap().to_owned();
    heads.lock().unwrap().push(head);
    let file = path.strip_prefix(&format!("/a/b/resolve/{}/", published.commit));
    let body = match (&published.instead, file) {
        (Some((name, bytes)), Some(asked)) if *name == asked => Some(bytes.clone()),
        (_, Some(asked)) => published.files.get(asked).cloned(),
        _ => (path == "/api/models/a/b/revision/main?blobs=true")
            .then(|| published.listing().into_bytes()),
    };
    let (status, body) = body.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
    let head =
        format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

#[test]
fn a_model_comes_once_and_is_there_without_a_network() {
    let hub = Hub::new(Published::model());
    let solve = ["solve", "hf:a/b", PUZZLE];
    let output = hub.run(&solve, &[("HF_TOKEN", "hf_SECRETSECRET")]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(hub.count(), 5, "a list and four files");
    let asked = hub.requests.lock().unwrap()[1].to_lowercase();
    assert!(asked.contains("authorization: bearer hf_secretsecret"), "{asked}");
    let again = hub.run(&solve, &[("HF_HUB_OFFLINE", "1")]);
    assert_eq!((hub.count(), &again.stdout), (5, &output.stdout));
    let shipped = hub.run(&["solve", PUZZLE], &[]);
    assert_eq!(shipped.stdout, output.stdout);

    // the cache is the one that the hub's other programs use
    let cache = hub.session.path("hf/hub/models--a--b");
    assert_eq!(std::fs::read_to_string(cache.join("refs/main")).unwrap(), ONE);
    let config = cache.join("snapshots").join(ONE).join("config.json");
    assert!(
        config.canonicalize().unwrap().starts_with(cache.join("blobs").canonicalize().unwrap())
    );

    // a new commit is there when it is pulled; what has not changed is not fetched again
    hub.published.lock().unwrap().commit = TWO;
    hub.published.lock().unwrap().files.insert("README.md", b"# A model".to_vec());
    assert_eq!(hub.run(&solve, &[]).stdout, output.stdout);
    assert_eq!(hub.count(), 5);
    let pulled = String::from_utf8(hub.run(&["pull", "a/b"], &[]).stdout).unwrap();
    assert!(pulled.starts_with(&format!("hf:a/b: commit {TWO}, 9 bytes fetched\n")), "{pulled}");
    assert_eq!((hub.count(), hub.snapshots()), (7, 2));
    assert!(hub.run(&solve, &[("HF_HUB_OFFLINE", "1")]).status.success());
}

#[test]
fn what_is_not_as_the_hub_says_is_refused_and_nothing_is_left() {
    let hub = Hub::new(Published::model());
    let weights = hub.published.lock().unwrap().files["model.safetensors"].clone();
    let mut other = weights.clone();
    other[5000] ^= 1;
    let longer = [&weights[..], b"x"].concat();
    for (bytes, says) in [
        (other, "but the hub names"),
        (weights[..100].to_vec(), "100 bytes came, not the"),
        (longer, "more bytes came"),
    ] {
        hub.published.lock().unwrap().instead = Some(("model.safetensors", bytes));
        let line = hub.refuse(&["pull", "hf:a/b"]);
        assert!(line.contains("hf:a/b: model.safetensors: ") && line.contains(says), "{line}");
        let files = hub.session.files();
        assert!(files.iter().all(|path| !path.display().to_string().contains("incomplete")));
        assert!(!hub.session.path("hf/hub/models--a--b/refs/main").exists());
    }
    hub.published.lock().unwrap().instead = None;
    hub.published.lock().unwrap().files.remove("model.safetensors");
    let line = hub.refuse(&["eval", "hf:a/b", "--data", "data"]);
    assert!(
        line.contains("no model of trm: it has no model.safetensors, only config.json"),
        "{line}"
    );
    let line = hub.refuse(&["pull", "hf:a/c"]);
    assert!(line.contains("answers 404: there is no such model"), "{line}");
    hub.published.lock().unwrap().commit = "../../x";
    assert!(hub.refuse(&["pull", "hf:a/b"]).contains("is no commit"));
    for name in ["hf:a", "hf:../b", "hf:a/b/c", "hf:a/b@../x", "hf:/b"] {
        let line = hub.refuse(&["pull", name]);
        assert!(line.contains("names no model of the hub"), "{line}");
    }
    let offline = hub.run(&["solve", "hf:a/b", PUZZLE], &[("HF_HUB_OFFLINE", "1")]);
    assert!(String::from_utf8_lossy(&offline.stderr).contains("HF_HUB_OFFLINE is set"));
    let nowhere = hub.run(&["pull", "a/b"], &[("HF_ENDPOINT", "http://127.0.0.1:1")]);
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("hf:a/b: http://127.0.0.1:1/api"));
}

#[test]
fn what_is_exported_for_the_hub_says_what_it_is() {
    let session = Session::new();
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/sudoku-extreme");
    session.succeed(&["export", model, "--to", "hub", "--out", "my-sudoku"]);
    let card = std::fs::read_to_string(session.path("my-sudoku/README.md")).unwrap();
    for says in [
        "---\nlibrary_name: trm\n",
        "# my-sudoku\n",
        "361218 parameters (units, 128 features",
        "trm solve hf:OWNER/my-sudoku PUZZLE",
        "`recipe.toml` has all settings",
    ] {
        assert!(card.contains(says), "no {says:?}: {card}");
    }
    let solved = session.succeed(&["solve", "my-sudoku", PUZZLE, "--json"]);
    assert!(solved.contains("\"solved\":true"), "{solved}");
    let names: Vec<_> =
        session.files().iter().filter_map(|p| p.file_name()?.to_str().map(str::to_owned)).collect();
    assert_eq!(names.iter().filter(|name| name.contains('.')).count(), 5, "{names:?}");
}

#[test]
fn a_card_names_the_weights_beside_it() {
    let session = Session::new();
    session.trained();
    session.succeed(&["export", "run", "--to", "hub", "--out", "four"]);
    let text = |name: &str| std::fs::read_to_string(session.path(name)).unwrap();
    let provenance: serde_json::Value =
        serde_json::from_str(&text("four/provenance.json")).unwrap();
    let digest = provenance["weights"].as_str().unwrap();
    assert!(
        text("four/README.md").contains(digest),
        "the card names the weights beside it, stored as bf16"
    );
}
