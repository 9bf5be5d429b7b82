//! A language model behind an endpoint: a study asks it, keeps what it said, and stops where it costs too much.

use crate::session::Session;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::sync::{Arc, Mutex};
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
attempts = 3
max_tokens = 100
"#;

/// What a server does with a request.
#[derive(Clone, Copy)]
enum Manner {
    /// Solves the puzzle.
    Solve,
    /// Answers in its own way.
    Babble,
    /// This status, with a word about when to come back.
    Status(u16),
}

struct Chat {
    address: String,
    requests: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Chat {
    /// Answers the first request in the first manner and so on, and all others in the last one.
    fn new(manners: &[Manner]) -> Chat {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/v1", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let (manners, seen) = (manners.to_vec(), requests.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let (head, body) = read(&stream);
                let mut seen = seen.lock().unwrap();
                let manner = manners[seen.len().min(manners.len() - 1)];
                let _ = reply(stream, manner, &body); // the other side may be gone
                seen.push((head, body));
            }
        });
        Chat { address, requests }
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

fn reply(mut stream: TcpStream, manner: Manner, body: &Value) -> std::io::Result<()> {
    let (status, text) = match manner {
        Manner::Status(status) => (status, "{\"error\": {\"message\":\n \"not now\"}}".to_owned()),
        Manner::Babble => (200, completion("The grid is left to the reader.")),
        Manner::Solve => {
            let prompt = body["messages"][0]["content"].as_str().unwrap();
            (200, completion(&format!("Thinking.\nANSWER: {}\n", solved(prompt))))
        }
    };
    let length = text.len();
    write!(
        stream,
        "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Retry-After: 0\r\nConnection: close\r\n\r\n{text}"
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
    for name in ["TRM_CHAT_URL", "TRM_CHAT_MODEL", "TRM_CHAT_KEY"] {
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
    let output = compare(&session, STUDY, Some(&chat));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    assert!(errors.contains("7 of 8 exactly right, 1 without a readable answer"), "{errors}");
    let found = finding(&session);
    let facts = ["model", "asked", "exact", "unreadable", "prompt_tokens"].map(|key| &found[key]);
    assert_eq!(json!(facts), json!(["tiny-talker", 8, 7, 1, 90.0]));
    let page = std::fs::read_to_string(session.path("out/study.html")).unwrap();
    assert!(page.contains("Language models") && page.contains("8 of 8"));
    // two were asked again; the key went along, and is written nowhere
    assert_eq!(chat.count(), 10);
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
fn an_endpoint_that_refuses_or_costs_too_much_is_left_alone() {
    let session = Session::new();
    for (status, requests, line) in [
        (401, 1, "/v1/chat/completions: status 401: {\"error\": {\"message\": \"not now\"}}"),
        (500, 3, "after 3 attempts; answers so far are kept: run the command again to go on"),
    ] {
        let chat = Chat::new(&[Manner::Status(status)]);
        let study = STUDY.replace("concurrency = 3", "concurrency = 1");
        let output = compare(&session, &study, Some(&chat));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains(line), "{errors}");
        assert!(!errors.contains("secret"), "{errors}");
        assert_eq!(chat.count(), requests);
    }
    // an answer costs 50 tokens = 0.5; only the 100 that it may have are sure: the third is not asked
    let chat = Chat::new(&[Manner::Solve]);
    let prices = "puzzles = 8\nanswer_price = 1e4\ncost_cap = 1.9";
    let output = compare(&session, &STUDY.replace("puzzles = 8", prices), Some(&chat));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found = finding(&session);
    assert_eq!(
        (&found["asked"], &found["wanted"], &found["cost"]),
        (&2.into(), &8.into(), &1.0.into())
    );

    for (from, to, message) in [
        ("puzzles = 8", "puzzles = 0", "contender \"asked\": puzzles, concurrency"),
        ("puzzles = 8", "cost_cap = 1.0", "cost_cap needs prompt_price and answer_price"),
        ("puzzles = 8", "[contender.train]", "what is asked is not trained"),
        ("[contender.endpoint]\n", "", "unknown field"),
    ] {
        session.write("study.toml", &STUDY.replace(from, to));
        let line = session.refuse(&["compare", "study.toml", "--out", "out"], 2);
        assert!(line.contains(message), "{line}");
    }
}
