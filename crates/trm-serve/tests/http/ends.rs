//! How a server ends.

use super::{PUZZLES, Running, post, response};
use serde_json::json;
use std::io::Write;
use std::net::TcpStream;
use trm_data::AnyModel;
use trm_serve::{Named, Server, Settings};

#[test]
fn what_has_been_asked_is_answered_before_the_end() {
    let mut server = Running::new(Settings::default());
    let body = json!({"puzzles": vec![PUZZLES[3]; 50], "halt": 1, "steps": 100}).to_string();
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(post("/v1/solve", &body, "").as_bytes()).unwrap();
    server.await_queue(|puzzles| puzzles > 0.0);
    let address = server.address;
    let waiting = std::thread::spawn(move || response(stream));
    server.stop();
    let (status, text, _) = waiting.join().unwrap();
    assert_eq!(status, 200, "{text}");
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn models_must_have_names_of_their_own_and_domains() {
    let named = |name: &str| Named {
        name: name.into(),
        model: AnyModel::Recursive(super::sudoku()),
        judged: None,
        dtype: trm_ops::DType::F32,
    };
    let refused = |models| Server::new(models, Settings::default()).unwrap_err();
    assert_eq!(refused(vec![]), "no model to serve");
    assert_eq!(refused(vec![named("a"), named("a")]), "two models are called `a`");
    let unknown = super::model(
        "sudoku5",
        trm::Config { seq_len: 16, vocab_size: 6, ..trm::Config::default() },
    );
    let unknown = Named { model: AnyModel::Recursive(unknown), ..named("b") };
    assert!(refused(vec![unknown]).starts_with("model `b`: unknown domain `sudoku5`"));
    let settings = Settings { cors: Some("https://a\nb".into()), ..Settings::default() };
    let refused = Server::new(vec![named("a")], settings).unwrap_err();
    assert!(refused.contains("is no origin"), "{refused}");
}
