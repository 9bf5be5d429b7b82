//! A language model behind an endpoint: a study asks it, keeps what it said, and stops where it costs too much.

use crate::session::Session;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use trm_puzzles::Domain;

const STUDY: &str = r#"
title = "A model of language"
make_data = "sudoku --size 4 --train 30 --test 12 --givens 6-9 --seed 1"
seeds = [1]
training_flops = 1e7
test = 10
steps = 2
answers = 2
temperature = 0.7
growth = ["sudoku4"]

[train]
batch = 4

[[contender]]
name = "direct"
[contender.model]
hidden = 16
inner_multiple = 16
cycles = 1
recursions = 0
supervision_steps = 1
prefix_len = 0
puzzle_embedding = 0

[[contender]]
name = "asked"
[contender.endpoint]
puzzles = 8
concurrency = 3
attempts = 2
max_tokens = 100
"#;

/// What a server does with a request.
#[derive(Clone, Copy)]
enum Manner {
    /// Solves the puzzle.
    Solve,
    /// Answers in its own way.
    Babble,
    /// This status.
    Status(u16),
    /// Solves the puzzle and does not say how many tokens that took.
    Uncounted,
    /// Another address.
    Redirect,
    /// With this status, all headers of the request: as an error, or in the answer.
    Echo(u16),
}

struct Chat {
    address: String,
    requests: Arc<Mutex<Vec<(String, Value)>>>,
    /// The most requests that were there at the same time.
    at_once: Arc<AtomicUsize>,
}

impl Chat {
    /// Answers the first request in the first manner and so on, and all others in the last one.
    fn new(manners: &[Manner]) -> Chat {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/v1", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let at_once = Arc::new(AtomicUsize::new(0));
        let most = at_once.clone();
        let (manners, seen) = (manners.to_vec(), requests.clone());
        std::thread::spawn(move || {
            let under_way = Arc::new(AtomicUsize::new(0));
            for stream in listener.incoming() {
                let (stream, manners) = (stream.unwrap(), manners.clone());
                let (seen, under_way, most) = (seen.clone(), under_way.clone(), most.clone());
                std::thread::spawn(move || {
                    let (head, body) = read(&stream);
                    let kept = (head.clone(), body.clone());
                    most.fetch_max(under_way.fetch_add(1, SeqCst) + 1, SeqCst);
                    let before = {
                        let mut seen = seen.lock().unwrap();
                        seen.push(kept);
                        seen.len() - 1
                    };
                    std::thread::sleep(Duration::from_millis(50)); // for others to come meanwhile
                    under_way.fetch_sub(1, SeqCst);
                    let manner = manners[before.min(manners.len() - 1)];
                    let _ = reply(stream, manner, &head, &body); // the other side may be gone
                });
            }
        });
        Chat { address, requests, at_once }
    }

    fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

fn read(stream: &TcpStream) -> (String, Value) {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        let lower = line.to_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (head, serde_json::from_slice(&body).unwrap())
}

fn reply(mut stream: TcpStream, manner: Manner, head: &str, body: &Value) -> std::io::Result<()> {
    let (status, text) = match manner {
        Manner::Echo(200) => (200, completion(&format!("\x1b[2J You said: {head}"))),
        Manner::Echo(status) => (status, format!("\x1b[2J You said: {head}")),
        Manner::Status(status) => (status, "{\"error\": {\"message\":\n \"not now\"}}".to_owned()),
        Manner::Redirect => (307, String::new()),
        Manner::Babble => (200, completion("The grid is left to the reader.")),
        Manner::Solve | Manner::Uncounted => {
            let prompt = body["messages"][0]["content"].as_str().unwrap();
            let text = completion(&format!("Thinking.\nANSWER: {}\n", solved(prompt)));
            let uncounted = matches!(manner, Manner::Uncounted);
            (200, if uncounted { text.replace("usage", "use") } else { text })
        }
    };
    let length = text.len();
    write!(
        stream,
        "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Location: /elsewhere\r\nConnection: close\r\n\r\n{text}"
    )
}

fn completion(content: &str) -> String {
    json!({
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": content } }],
        "usage": { "prompt_tokens": 90, "completion_tokens": 50 },
    })
    .to_string()
}

/// The solution of the puzzle in a prompt.
fn solved(prompt: &str) -> String {
    let domain: Domain = "sudoku4".parse().unwrap();
    let is_row = |line: &&str| line.len() == 4 && line.chars().all(|c| ".1234".contains(c));
    let puzzle: String = prompt.lines().filter(is_row).collect();
    let question = domain.parse(&puzzle).unwrap();
    domain.format_line(&domain.check_question(&question).unwrap().unwrap())
}

fn compare(session: &Session, study: &str, chat: Option<&Chat>) -> Output {
    session.write("study.toml", study);
    let mut command = session.command(&["compare", "study.toml", "--out", "out"]);
    for name in
        ["TRM_CHAT_URL", "TRM_CHAT_MODEL", "TRM_CHAT_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY"]
    {
        command.env_remove(name);
    }
    if let Some(chat) = chat {
        command.env("TRM_CHAT_URL", &chat.address).env("TRM_CHAT_MODEL", "tiny-talker");
        command.env("TRM_CHAT_KEY", "secret");
    }
    command.output().unwrap()
}

fn finding(session: &Session) -> Value {
    let text = std::fs::read_to_string(session.path("out/study.json")).unwrap();
    let study: Value = serde_json::from_str(&text).unwrap();
    study["language_models"].get(0).cloned().unwrap_or_default()
}

#[test]
fn a_language_model_is_asked_once_about_every_puzzle() {
    let session = Session::new();
    let busy = [Manner::Status(429), Manner::Status(503), Manner::Babble, Manner::Solve];
    let chat = Chat::new(&busy);
    let started = Instant::now();
    let output = compare(&session, STUDY, Some(&chat));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    assert!(errors.contains("7 of 8 exactly right, 1 without a readable answer"), "{errors}");
    assert!(started.elapsed() >= Duration::from_secs(1), "asked again at once");
    assert!(errors.contains("not now\"}}: again in 1 s"), "{errors}");
    let found = finding(&session);
    let facts = ["model", "asked", "exact", "unreadable", "prompt_tokens"].map(|key| &found[key]);
    assert_eq!(json!(facts), json!(["tiny-talker", 8, 7, 1, 90.0]));
    let page = std::fs::read_to_string(session.path("out/study.html")).unwrap();
    assert!(page.contains("Language models") && page.contains("8 of 8"));
    // two were asked again; the key went along, and is written nowhere
    assert_eq!(chat.count(), 10);
    assert_eq!(chat.at_once.load(SeqCst), 3);
    for (head, body) in chat.requests.lock().unwrap().iter() {
        assert!(head.starts_with("POST /v1/chat/completions"), "{head}");
        assert!(head.to_lowercase().contains("authorization: bearer secret"), "{head}");
        assert_eq!((&body["model"], &body["max_tokens"]), (&json!("tiny-talker"), &json!(100)));
    }
    for path in session.files().iter().filter(|path| path.is_file()) {
        let bytes = std::fs::read(path).unwrap();
        assert!(!bytes.windows(6).any(|w| w == b"secret"), "{}", path.display());
    }
    // what was answered is kept
    assert!(compare(&session, STUDY, Some(&chat)).status.success());
    assert_eq!((chat.count(), &finding(&session)), (10, &found));
}

#[test]
fn without_an_endpoint_a_study_goes_on_without_it() {
    let session = Session::new();
    let output = compare(&session, STUDY, None);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.contains("left out: TRM_CHAT_URL"), "{errors}");
    assert_eq!(finding(&session), Value::Null);
}

#[test]
fn an_endpoint_that_fails_is_gone_on_with_where_it_failed() {
    let session = Session::new();
    let study = STUDY.replace("concurrency = 3", "concurrency = 1");
    for (manner, requests, line) in [
        (Manner::Status(401), 1, "status 401: {\"error\": {\"message\": \"not now\"}} (1 attempt)"),
        (Manner::Redirect, 1, "status 307 (1 attempt)"),
        (Manner::Status(500), 2, "(2 attempts); answers are kept: go on with --out out"),
    ] {
        let chat = Chat::new(&[manner]);
        let output = compare(&session, &study, Some(&chat));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains(line), "{errors}");
        assert!(!errors.contains("secret"), "{errors}");
        assert_eq!(chat.count(), requests);
    }
    let broken = [Manner::Solve, Manner::Solve, Manner::Solve, Manner::Status(404), Manner::Solve];
    let chat = Chat::new(&broken);
    assert_eq!(compare(&session, &study, Some(&chat)).status.code(), Some(1));
    assert_eq!(chat.count(), 4);
    assert!(compare(&session, &study, Some(&chat)).status.success());
    assert_eq!((chat.count(), &finding(&session)["exact"]), (9, &8.into()));
}

#[test]
fn no_key_is_printed_or_kept_whatever_a_server_says() {
    const KEY: &str = "sk-SECRETKEY1234567890abcdef";
    let port = |chat: &Chat| chat.address["http://".len()..].to_owned();
    for (manner, code) in [(Manner::Echo(200), 0), (Manner::Echo(401), 1), (Manner::Echo(500), 1)] {
        let chat = Chat::new(&[manner]);
        for address in [
            chat.address.clone(),
            format!("http://user:{KEY}@{}", port(&chat)),
            format!("{}?key={KEY}", chat.address),
        ] {
            let session = Session::new();
            session.write("study.toml", STUDY);
            let mut command = session.command(&["compare", "study.toml", "--out", "out"]);
            for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
                command.env_remove(name);
            }
            command.env("TRM_CHAT_URL", &address).env("TRM_CHAT_MODEL", "m");
            let output = command.env("TRM_CHAT_KEY", KEY).output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{errors}");
            assert!(errors.contains("asking m at http://127.0.0.1:"), "{errors}");
            assert!(!errors.contains('\u{1b}') && !errors.contains("SECRET"), "{errors}");
            for path in session.files().iter().filter(|path| path.is_file()) {
                let bytes = std::fs::read(path).unwrap();
                assert!(!bytes.windows(6).any(|w| w == b"SECRET"), "{}", path.display());
            }
        }
        // the query stays where it was
        let requests = chat.requests.lock().unwrap();
        let asked = format!("POST /v1/chat/completions?key={KEY} ");
        assert!(requests.iter().any(|(head, _)| head.starts_with(&asked)));
        assert!(requests.iter().all(|(head, _)| head.contains(KEY)));
    }
}

#[test]
fn a_cost_cap_holds_whatever_a_server_counts() {
    // an answer may cost 1.0, and costs half of that where its tokens are counted
    for (manner, asked, cost) in [(Manner::Solve, 2, 1.0), (Manner::Uncounted, 1, 1.0)] {
        let session = Session::new();
        let chat = Chat::new(&[manner]);
        let prices = "puzzles = 8\nanswer_price = 1e4\ncost_cap = 1.9";
        let output = compare(&session, &STUDY.replace("puzzles = 8", prices), Some(&chat));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let left = format!("{} were not asked: they could exceed the cost cap of 1.9", 8 - asked);
        assert!(errors.contains(&left), "{errors}");
        let found = finding(&session);
        let facts = ["asked", "wanted", "cost"].map(|key| &found[key]);
        assert_eq!(json!(facts), json!([asked, 8, cost]));
    }
}

#[test]
fn settings_that_ask_nobody_are_refused() {
    let session = Session::new();
    let endpoint = "[contender.endpoint]\n";
    for (from, to, message) in [
        ("puzzles = 8", "puzzles = 0", "contender `asked`: puzzles, concurrency"),
        ("puzzles = 8", "cost_cap = 1.0", "cost_cap needs prompt_price and answer_price"),
        ("puzzles = 8", "answer_price = -1.0", "must be 0 or positive numbers"),
        ("puzzles = 8", "timeout = 0", "timeout = 0: must be 1 to 86400 seconds"),
        ("puzzles = 8", "request = { stream = true }", "request.stream: not to be chosen here"),
        ("puzzles = 8", "[contender.train]\nlr = 1.0", "what is asked is not trained"),
        ("puzzles = 8", "request = { top_p = nan }", "request.top_p: not a number"),
        ("puzzles = 8", "request = { a = [{ b = inf }] }", "request.a: not a number"),
        ("puzzles = 8", "puzles = 8", "unknown field `puzles`"),
        (endpoint, "[contender.model]\n[contender.endpoint]\n", "give it one of"),
    ] {
        assert!(STUDY.contains(from));
        session.write("study.toml", &STUDY.replace(from, to));
        let line = session.refuse(&["compare", "study.toml", "--out", "out"], 2);
        assert!(line.contains(message), "{line}");
    }
    session.write(
        "study.toml",
        &STUDY.replace(endpoint, "[contender.endpoint]\nvariables = \"NOBODY\"\n"),
    );
    for (variables, message) in [
        (&[("NOBODY_URL", "http://127.0.0.1:1")][..], "NOBODY_URL is set, but not NOBODY_MODEL"),
        (&[("NOBODY_MODEL", "m")], "NOBODY_MODEL is set, but not NOBODY_URL"),
        (
            &[("NOBODY_URL", "127.0.0.1:1"), ("NOBODY_MODEL", "m")],
            "error: NOBODY_URL must be an address such as https://host/v1\n",
        ),
        (
            &[("NOBODY_URL", "http://127.0.0.1:1"), ("NOBODY_MODEL", "m"), ("NOBODY_KEY", "a\nb")],
            "NOBODY_KEY: not a key",
        ),
    ] {
        let mut command = session.command(&["compare", "study.toml", "--out", "out"]);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(message) && errors.lines().count() == 1, "{errors}");
        assert!(!session.path("out").exists());
    }
}
