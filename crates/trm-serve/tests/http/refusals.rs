//! What is refused, with which status and which line.

use super::{PUZZLES, Running, post, response};
use serde_json::{Value, json};
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;
use trm_serve::Settings;

fn message(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {body}"));
    let message = body["error"]["message"].as_str().unwrap().to_owned();
    assert!(!message.contains('\n') && !message.is_empty());
    message
}

#[test]
fn what_cannot_be_done_is_said_in_one_line() {
    let server = Running::new(Settings::default());
    let puzzle = PUZZLES[0];
    for (body, status, says) in [
        ("".into(), 422, "not the JSON of a request"),
        ("{".into(), 422, "not the JSON of a request"),
        ("[]".into(), 422, "no puzzle: give `puzzle`"),
        ("{} x".into(), 422, "not the JSON of a request"),
        ("{}".into(), 422, "no puzzle: give `puzzle`"),
        (json!({"puzzles": []}).to_string(), 422, "no puzzle"),
        (json!({"puzzle": puzzle, "puzzles": [puzzle]}).to_string(), 422, "not both"),
        (json!({"puzzle": puzzle, "step": 3}).to_string(), 422, "unknown field `step`"),
        (json!({"puzzle": puzzle, "steps": "3"}).to_string(), 422, "`steps`: invalid type"),
        (json!({"puzzle": puzzle, "steps": 0}).to_string(), 422, "`steps`: 0 is not 1 to 512"),
        (json!({"puzzle": puzzle, "steps": 513}).to_string(), 422, "`steps`: 513"),
        (json!({"puzzle": puzzle, "halt": 0}).to_string(), 422, "`halt`: 0 is no probability"),
        (
            json!({"puzzle": puzzle, "one_pass": true, "search": {}}).to_string(),
            422,
            "`search` goes without",
        ),
        (json!({"puzzle": puzzle, "search": {"noise": -1}}).to_string(), 422, "`search.noise`: -1"),
        (
            json!({"puzzle": puzzle, "search": {"rollouts": 0}}).to_string(),
            422,
            "`search.rollouts`: 0",
        ),
        (
            json!({"puzzle": puzzle, "identifier": 1}).to_string(),
            422,
            "`identifier`: the model knows 0 to 0",
        ),
        (
            json!({"puzzle": puzzle, "write": {"samples": 2}}).to_string(),
            422,
            "`write` is for autoregressive models",
        ),
        (
            json!({"model": "raster", "puzzle": puzzle, "one_pass": true}).to_string(),
            422,
            "`one_pass` is for recursive models",
        ),
        (
            json!({"model": "raster", "puzzle": puzzle, "write": {"samples": 0}}).to_string(),
            422,
            "`write.samples`: 0 is not 1 to 1024",
        ),
        (
            json!({"model": "raster", "puzzle": puzzle, "write": {"temperature": 0}}).to_string(),
            422,
            "`write.temperature`: 0 is not a positive number",
        ),
        (
            json!({"model": "solver", "puzzle": "................"}).to_string(),
            422,
            "the puzzle: several solutions",
        ),
        (
            json!({"model": "maze", "puzzle": format!("S{}/G{0}{}", ".".repeat(59), format!("/{}", ".".repeat(60)).repeat(58))}).to_string(),
            422,
            "3600 cells: at most 2500",
        ),
        (json!({"puzzle": "1234"}).to_string(), 422, "found 4 cells: a 4×4 grid has 16"),
        (json!({"puzzle": "5..............."}).to_string(), 422, "digit 5"),
        (json!({"puzzle": "11.............."}).to_string(), 422, "the puzzle: "),
        (json!({"puzzles": [puzzle, "12"]}).to_string(), 422, "puzzle 2: found 2 cells"),
        (
            json!({"puzzle": format!("{puzzle}\n{puzzle}")}).to_string(),
            422,
            "2 puzzles in one text",
        ),
        (
            json!({"model": "five", "puzzle": puzzle}).to_string(),
            404,
            "no model `five`; there are `four`, `maze`, `arc`, `raster`, `solver`",
        ),
        (json!({"model": "five".repeat(500), "puzzle": puzzle}).to_string(), 404, "no model `five"),
        (json!({"model": "\u{1b}[2J\t", "puzzle": puzzle}).to_string(), 404, "no model ` [2J `"),
    ] {
        let (found, text) = server.post("/v1/solve", &body);
        assert_eq!(found, status, "{body}: {text}");
        let message = message(&text);
        assert!(message.contains(says), "{body}: {message}");
        assert!(message.chars().count() <= 500 && !message.contains(char::is_control), "{message}");
    }
    for (chat, says) in [
        (json!({"messages": []}), "`messages`: there is none"),
        (json!({"messages": [{"content": "hello"}]}), "the puzzle: "),
        (json!({"messages": [{"content": 3}]}), "`messages[0].content`"),
    ] {
        let (status, text) = server.post("/v1/chat/completions", &chat.to_string());
        assert_eq!(status, 422);
        assert!(message(&text).contains(says), "{chat}: {text}");
    }
    assert_eq!(server.get("/v1/solve").0, 405);
    assert_eq!(server.get("/nothing").0, 404);
    assert!(message(&server.get("/nothing").1).contains("/openapi.json"));
    assert_eq!(server.metric("trm_queue_puzzles"), 0.0);
}

#[test]
fn large_and_slow_requests_are_refused() {
    let settings =
        Settings { body_bytes: 1000, body_time: Duration::from_millis(200), ..Settings::default() };
    let server = Running::new(settings);
    let (status, text) =
        server.post("/v1/solve", &format!("{{\"puzzle\": \"{}\"}}", " ".repeat(2000)));
    assert_eq!(status, 413);
    assert!(message(&text).contains("more than 1000 bytes"));
    // by far, from a client that sends all before it listens
    let large = post("/v1/solve", &" ".repeat(16 << 20), "");
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(large.as_bytes()).expect("the server takes it all");
    assert_eq!(response(stream).0, 413);

    let mut slow = TcpStream::connect(server.address).unwrap();
    slow.write_all(b"POST /v1/solve HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{").unwrap();
    let (status, text, _) = response(slow);
    assert_eq!(status, 408);
    assert!(message(&text).contains("did not arrive"));
}

#[test]
fn a_full_queue_is_said_to_be_full_and_empties() {
    let server = Running::new(Settings { queue: 2, ..Settings::default() });
    let long = json!({"puzzles": [PUZZLES[0], PUZZLES[1]], "halt": 1, "steps": 512}).to_string();
    let mut first = TcpStream::connect(server.address).unwrap();
    first.write_all(post("/v1/solve", &long, "").as_bytes()).unwrap();
    server.await_queue(|puzzles| puzzles == 2.0);
    let one = json!({"puzzle": PUZZLES[0], "one_pass": true}).to_string();
    let (status, text, head) = server.send(&post("/v1/solve", &one, ""));
    // the first may have been answered in the meantime
    if status == 429 {
        assert!(message(&text).contains("the queue is full"));
        assert!(head.to_lowercase().contains("retry-after: 1"), "{head}");
    }
    assert_eq!(response(first).0, 200);
    assert_eq!(server.post("/v1/solve", &one).0, 200);
    let three = json!({"puzzles": vec![PUZZLES[0]; 3]}).to_string();
    let (status, text) = server.post("/v1/solve", &three);
    assert_eq!((status, message(&text).contains("at most 2")), (422, true));
    // counted before they are read, which takes a second for all that fit into a request
    let three = json!({"puzzles": vec!["no puzzle"; 3]}).to_string();
    assert!(message(&server.post("/v1/solve", &three).1).contains("at most 2"));
}

#[test]
fn who_lacks_the_key_gets_the_page_alone() {
    let settings = Settings { api_key: Some("secret".into()), ..Settings::default() };
    let server = Running::new(settings);
    for path in ["/", "/health", "/openapi.json"] {
        assert_eq!(server.get(path).0, 200, "{path}");
    }
    for path in ["/v1/models", "/metrics"] {
        let (status, text) = server.get(path);
        assert_eq!(status, 401, "{path}");
        assert!(message(&text).contains("Authorization: Bearer KEY"));
    }
    let body = json!({"puzzle": PUZZLES[0], "one_pass": true}).to_string();
    for (key, expected) in [("secret", 200), ("secreT", 401), ("secret1", 401), ("", 401)] {
        let header = format!("authorization: Bearer {key}\r\n");
        let (status, _, head) = server.send(&post("/v1/solve", &body, &header));
        assert_eq!(status, expected, "{key}");
        assert!(!head.to_lowercase().contains("access-control"), "no other page may ask");
        assert!(head.to_lowercase().contains("x-request-id: "), "{head}");
    }
}
