//! Autoregressive models: what they write is what the library writes, and every cell is told.

use super::{PUZZLES, Running, post, writer};
use serde_json::{Value, json};
use trm::Order;
use trm_puzzles::Domain;
use trm_serve::Settings;
use trm_study::{Chosen, SampleOptions, write_best};

/// What the library chooses for puzzles.
fn chosen(order: Order, puzzles: &[&str], options: SampleOptions) -> Vec<Chosen> {
    let domain: Domain = "sudoku4".parse().unwrap();
    let questions: Vec<Vec<u8>> = puzzles.iter().map(|p| domain.parse(p).unwrap()).collect();
    let questions: Vec<&[u8]> = questions.iter().map(Vec::as_slice).collect();
    let mut all = Vec::new();
    let mut take = |_: usize, chosen: &Chosen| all.push(chosen.clone());
    write_best(&writer(order), (&domain, &questions), options, &mut take).unwrap();
    all
}

fn check(answer: &Value, chosen: &Chosen) {
    let domain: Domain = "sudoku4".parse().unwrap();
    assert_eq!(answer["answer"], domain.format_line(&chosen.answer));
    assert_eq!(answer["probability"], json!(chosen.written.log_probability.exp()));
    assert_eq!(answer["sample"], chosen.sample);
    assert_eq!(answer["verdict"], chosen.verdict.as_ref().unwrap().to_string());
    assert_eq!(answer["halt_probability"], Value::Null);
}

#[test]
fn clients_at_once_get_what_the_library_writes() {
    let server = Running::new(Settings { batch: 3, ..Settings::default() });
    std::thread::scope(|scope| {
        for client in 0..24 {
            let server = &server;
            scope.spawn(move || {
                let (name, order) =
                    [("raster", Order::Raster), ("solver", Order::Solver)][client % 2];
                let samples = 1 + client % 3;
                let options =
                    SampleOptions { samples, seed: 5, batch: 3, ..SampleOptions::default() };
                let puzzles = &PUZZLES[..1 + client % 4];
                let mut body = json!({"model": name, "puzzles": puzzles});
                if samples > 1 {
                    body["write"] = json!({"samples": samples, "seed": 5});
                }
                let answers = server.json("/v1/solve", &body.to_string())["answers"].take();
                let expected = chosen(order, puzzles, options);
                assert_eq!(answers.as_array().unwrap().len(), expected.len());
                answers.as_array().unwrap().iter().zip(&expected).for_each(|(a, b)| check(a, b));
            });
        }
    });
    assert_eq!(server.metric("trm_queue_puzzles"), 0.0);
    assert_eq!(server.metric("trm_puzzles_left_total"), 0.0);
}

#[test]
fn every_cell_is_told_when_it_is_written() {
    let server = Running::new(Settings::default());
    for (name, order) in [("raster", Order::Raster), ("solver", Order::Solver)] {
        let body = json!({"model": name, "puzzle": PUZZLES[1], "drafts": "all"}).to_string();
        let (status, text, _) =
            server.send(&post("/v1/solve", &body, "accept: text/event-stream\r\n"));
        assert_eq!(status, 200, "{text}");
        assert!(text.contains("event: end"), "{text}");
        let answer = server.json("/v1/solve", &body)["answers"][0].take();
        let expected = chosen(order, &PUZZLES[1..2], SampleOptions::default()).remove(0);
        check(&answer, &expected);
        let config = trm::Network::config(&*writer(order)).clone();
        let cells = config.cells(&expected.written.tokens);
        let drafts = answer["drafts"].as_array().unwrap();
        assert_eq!(
            (drafts.len(), text.matches("event: draft").count()),
            (cells.len(), cells.len())
        );
        let mut probability = 1.0;
        for (step, (draft, cell)) in drafts.iter().zip(&cells).enumerate() {
            assert_eq!((&draft["step"], &draft["solved"]), (&json!(step + 1), &Value::Null));
            assert_eq!(draft["changed"], json!([cell]));
            probability *= draft["sureness"][*cell].as_f64().unwrap();
            let unwritten =
                cells[step + 1..].iter().filter(|later| !cells[..=step].contains(later));
            for later in unwritten {
                let asked = &PUZZLES[1][*later..=*later];
                assert_eq!(draft["rows"][later / 4][later % 4], asked);
                assert_eq!(draft["sureness"][*later], 0.0);
            }
        }
        let whole = f64::from(expected.written.log_probability.exp());
        assert!((probability / whole - 1.0).abs() < 1e-4, "{probability} {whole}");
        assert_eq!(drafts.last().unwrap()["answer"], answer["answer"]);
    }
}

#[test]
fn a_chat_with_a_writing_model_and_a_client_that_leaves() {
    let server = Running::new(Settings::default());
    let chat = json!({"model": "raster", "messages": [{"content": PUZZLES[0]}]});
    let reply = server.json("/v1/chat/completions", &chat.to_string());
    let text = reply["choices"][0]["message"]["content"].as_str().unwrap();
    let expected = chosen(Order::Raster, &PUZZLES[..1], SampleOptions::default()).remove(0);
    let domain: Domain = "sudoku4".parse().unwrap();
    assert!(text.contains(&format!("ANSWER: {}", domain.format_line(&expected.answer))), "{text}");

    let body =
        json!({"model": "raster", "puzzles": vec![PUZZLES[0]; 300], "write": {"samples": 1000}});
    let mut stream = std::net::TcpStream::connect(server.address).unwrap();
    std::io::Write::write_all(&mut stream, post("/v1/solve", &body.to_string(), "").as_bytes())
        .unwrap();
    server.await_queue(|puzzles| puzzles > 0.0);
    drop(stream);
    server.await_queue(|puzzles| puzzles == 0.0);
    assert!(server.metric("trm_puzzles_left_total") > 0.0);
}
