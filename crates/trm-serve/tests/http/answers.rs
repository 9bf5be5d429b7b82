//! What is answered, and that it is what the library answers.

use super::{PUZZLES, Running, post, sudoku};
use serde_json::{Value, json};
use std::io::Write;
use std::net::TcpStream;
use trm::{Limits, Question, Search, Solver};
use trm_ops::DType;
use trm_puzzles::Domain;
use trm_serve::Settings;
use trm_study::{Effort, SearchOptions, Trail};

fn trail(puzzle: &str, effort: Effort) -> Trail {
    let domain: Domain = "sudoku4".parse().unwrap();
    let question = domain.parse(puzzle).unwrap();
    let question = Question { tokens: &question, puzzles: &[0] };
    let solver = Solver::new(sudoku(), DType::F32);
    Trail::follow_all(&solver, &domain, question, effort).unwrap().remove(0)
}

#[test]
fn sixty_four_clients_at_once_get_what_one_alone_gets() {
    let server = Running::new(Settings { batch: 8, ..Settings::default() });
    let domain: Domain = "sudoku4".parse().unwrap();
    let maze = "S....\n.###.\n...#.\n.#.#.\n.#..G";
    let alone = server.json("/v1/solve", &json!({"model": "maze", "puzzle": maze}).to_string());
    std::thread::scope(|scope| {
        for client in 0..64 {
            let (server, domain, alone) = (&server, &domain, &alone);
            scope.spawn(move || {
                if client % 4 == 3 {
                    let body = json!({"model": "maze", "puzzle": maze});
                    let got = server.json("/v1/solve", &body.to_string());
                    assert_eq!(got["answers"], alone["answers"]);
                    return;
                }
                let puzzle = PUZZLES[client % 3];
                let (steps, one_pass) = (1 + client % 5, client % 2 == 0);
                let mut body = json!({"puzzle": puzzle, "steps": steps, "drafts": "all"});
                let effort = match one_pass {
                    true => Effort::OnePass(Limits { steps, halt: Some(Limits::CAREFUL_HALT) }),
                    false => {
                        let search = Search { steps, rollouts: 1, ..Search::default() };
                        Effort::Judged(SearchOptions { search, time: None })
                    }
                };
                match one_pass {
                    true => body["one_pass"] = true.into(),
                    false => body["search"] = json!({"rollouts": 1}),
                }
                let answer = server.json("/v1/solve", &body.to_string())["answers"][0].take();
                let expected = trail(puzzle, effort);
                let drafts = answer["drafts"].as_array().unwrap();
                assert_eq!(drafts.len(), expected.steps.len());
                for (draft, step) in drafts.iter().zip(&expected.steps) {
                    assert_eq!(draft["answer"], domain.format_line(&step.answer));
                    assert_eq!(draft["halt_probability"], json!(step.halt_probability));
                    assert_eq!(draft["sureness"], json!(step.sureness));
                    assert_eq!(draft["changed"], json!(step.changed));
                }
                assert_eq!(answer["answer"], domain.format_line(&expected.last().answer));
            });
        }
    });
    assert_eq!(server.metric("trm_puzzles_answered_total"), 65.0);
    assert_eq!(server.metric("trm_queue_puzzles"), 0.0);
}

#[test]
fn puzzles_are_texts_or_rows_one_or_many() {
    let server = Running::new(Settings::default());
    let line = PUZZLES[0];
    let rows = json!([[1, 0, 0, 0], [0, 0, 3, 0], [".", "4", ".", "."], "...2"]);
    for body in [
        json!({"puzzle": line, "one_pass": true}),
        json!({"puzzle": "1...\n..3.\n.4..\n...2", "one_pass": true}),
        json!({"puzzle": rows, "one_pass": true}),
        json!({"puzzles": [line, rows], "one_pass": true}),
    ] {
        let answers = server.json("/v1/solve", &body.to_string())["answers"].take();
        for answer in answers.as_array().unwrap() {
            assert_eq!(answer["question"], line, "{body}");
            assert_eq!(answer["answer"], answers[0]["answer"]);
        }
    }
    // rows that could be a puzzle each
    let arc = json!({"model": "arc", "puzzle": [[1, 2], [3, 4]], "one_pass": true, "steps": 1});
    let answer = server.json("/v1/solve", &arc.to_string())["answers"][0].take();
    assert_eq!(answer["question"], "12/34");
    // a maze of another size than the model's own
    let maze = json!({"model": "maze", "puzzle": "S..\n...\n..G", "search": {"rollouts": 1}});
    let answer = server.json("/v1/solve", &maze.to_string());
    assert_eq!(answer["domain"], "maze3x3");
}

#[test]
fn drafts_stream_as_they_come_and_the_answer_is_the_same() {
    let server = Running::new(Settings::default());
    let body = json!({"puzzles": PUZZLES[..2], "steps": 3, "halt": 1}).to_string();
    let whole = server.json("/v1/solve", &body);
    let request = post("/v1/solve", &body, "accept: text/event-stream\r\n");
    let (status, text, head) = server.send(&request);
    assert_eq!(status, 200);
    assert!(head.contains("text/event-stream"), "{head}");
    let events: Vec<(String, Value)> = text
        .split("\n\n")
        .filter_map(|event| {
            let kind = event.lines().find_map(|line| line.strip_prefix("event: "))?;
            let data = event.lines().find_map(|line| line.strip_prefix("data: "))?;
            Some((kind.to_owned(), serde_json::from_str(data).unwrap()))
        })
        .collect();
    let of = |kind: &str| {
        events.iter().filter(|(k, _)| k == kind).map(|(_, data)| data).collect::<Vec<_>>()
    };
    assert_eq!((of("draft").len(), of("answer").len(), of("end").len()), (6, 2, 1));
    assert_eq!(events.last().unwrap().0, "end");
    for answer in of("answer") {
        let puzzle = answer["puzzle"].as_u64().unwrap() as usize;
        assert_eq!(answer["answer"], whole["answers"][puzzle]["answer"]);
    }
}

#[test]
fn a_request_that_names_no_model_gets_the_first_for_its_form() {
    let server = Running::new(Settings::default());
    for (puzzle, model) in [(PUZZLES[0], "four"), ("S..\n.#.\n..G", "maze")] {
        let body = json!({"puzzle": puzzle, "search": {"rollouts": 1}});
        assert_eq!(server.json("/v1/solve", &body.to_string())["model"], model);
        let said = format!("Please solve:\n\n{puzzle}\n\nThank you.");
        let chat = json!({"messages": [{"content": said}], "trm": {"search": {"rollouts": 1}}});
        assert_eq!(server.json("/v1/chat/completions", &chat.to_string())["model"], model);
    }
    // what has no model's form is refused by the first, though that of ARC reads nearly all
    for puzzle in ["no puzzle", "1234"] {
        let (status, why) = server.post("/v1/solve", &json!({"puzzle": puzzle}).to_string());
        assert!(status == 422 && why.contains("the puzzle: "), "{why}");
    }
}

#[test]
fn chats_bring_the_answer_on_a_line_of_its_own() {
    let server = Running::new(Settings::default());
    let message =
        "Solve this Sudoku.\n\n1...\n..3.\n.4..\n...2\n\nEnd with one line:\nANSWER: <cells>";
    let chat = json!({
        "model": "four",
        "max_tokens": 10,
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": message}],
        "trm": {"one_pass": true, "steps": 2},
    });
    let answer = server.json("/v1/chat/completions", &chat.to_string());
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    let solve = json!({"puzzle": PUZZLES[0], "one_pass": true, "steps": 2}).to_string();
    let expected = server.json("/v1/solve", &solve)["answers"][0]["answer"].take();
    let line = text.lines().find_map(|line| line.strip_prefix("ANSWER: ")).unwrap();
    assert_eq!(line, expected);

    let mut chat = chat;
    chat["stream"] = true.into();
    let (status, text) = server.post("/v1/chat/completions", &chat.to_string());
    assert_eq!(status, 200);
    assert!(text.contains(line) && text.trim_end().ends_with("data: [DONE]"), "{text}");
}

#[test]
fn who_leaves_is_not_thought_for() {
    let server = Running::new(Settings::default());
    let body = json!({"puzzles": vec![PUZZLES[3]; 200], "halt": 1, "steps": 512}).to_string();
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(post("/v1/solve", &body, "").as_bytes()).unwrap();
    server.await_queue(|puzzles| puzzles > 0.0);
    drop(stream);
    server.await_queue(|puzzles| puzzles == 0.0);
    assert!(server.metric("trm_puzzles_left_total") > 0.0);
    server.json("/v1/solve", &json!({"puzzle": PUZZLES[0], "one_pass": true}).to_string());
}

#[test]
fn time_that_is_up_at_once_is_no_draft_and_no_fault() {
    let server = Running::new(Settings::default());
    let body = json!({"puzzle": PUZZLES[3], "steps": 512, "search": {"milliseconds": 0}});
    let answer = server.json("/v1/solve", &body.to_string())["answers"][0].take();
    assert_eq!((&answer["verified"], &answer["solved"]), (&json!(false), &json!(false)));
    assert!(answer["steps"].as_u64().unwrap() < 512, "{answer}");
}
