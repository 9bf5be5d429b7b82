//! Bodies of requests to `trm serve`, up to where a model would be asked.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde_json::json;
use std::sync::LazyLock;
use trm::{Config, Mix, Model};
use trm_data::AnyModel;
use trm_ops::{DType, Device};
use trm_serve::{Named, Server, Settings};

/// A body of `POST /v1/solve`.
pub fn solve_request(data: &[u8]) {
    read("/v1/solve", data);
}

/// A body of `POST /v1/chat/completions`.
pub fn chat_request(data: &[u8]) {
    read("/v1/chat/completions", data);
}

/// The text of a puzzle, past the JSON of a request: to every model, by both paths.
pub fn puzzle_request(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for model in ["sudoku", "maze", "grid", "words"] {
        let solve = json!({"model": model, "puzzle": text, "search": {}});
        let chat = json!({"model": model, "messages": [{"content": text}]});
        read("/v1/solve", solve.to_string().as_bytes());
        read("/v1/chat/completions", chat.to_string().as_bytes());
    }
}

/// What is accepted reads back from how it is shown; what is refused is the client's fault, said in one line.
fn read(path: &str, body: &[u8]) {
    match SERVER.read(path, body) {
        Ok((domain, tokens)) => {
            let questions = tokens.chunks_exact(domain.seq_len());
            assert!(!tokens.is_empty() && questions.remainder().is_empty());
            for question in questions {
                let line = domain.format_line(question);
                assert_eq!(domain.parse(&line).ok().as_deref(), Some(question), "{line:?}");
            }
        }
        Err(refusal) => {
            assert!(refusal.status.is_client_error(), "{refusal:?}");
            let message = &refusal.message;
            let breaks = |c: char| c.is_control() || "\u{2028}\u{2029}".contains(c);
            assert!(!message.trim().is_empty() && !message.contains(breaks), "{message:?}");
            assert!(message.chars().count() <= 500, "{} characters", message.chars().count());
        }
    }
}

/// A Sudoku of 4×4, a maze that takes any size, a grid whose symbols have a character, and one where they have more.
static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let any = Config { mix: Mix::Neighbours, ..Config::default() };
    let models = [
        ("sudoku", "sudoku4", Config::default()),
        ("maze", "maze5x5", any.clone()),
        ("grid", "grid:3x2:.#ab", any),
        ("words", "grid:2x2:symbols=red,green,12", Config::default()),
    ];
    let models = models.map(|(name, domain, sizes)| small(name, domain, sizes)).into();
    Server::new(models, Settings::default()).expect("models of known domains")
});

/// A small model of a domain with random weights.
fn small(name: &str, domain: &str, sizes: Config) -> Named {
    let rules = domain.parse::<trm_puzzles::Domain>().expect("a domain");
    let config = Config {
        domain: domain.into(),
        hidden: 4,
        inner_multiple: 4,
        heads: 1,
        blocks: 1,
        vocab_size: rules.vocab_size(),
        seq_len: rules.seq_len(),
        columns: rules.layout().columns,
        prefix_len: 0,
        puzzle_embedding: 0,
        ..sizes
    };
    let model = Model::new(&config, &Device::cpu(1), &mut ChaCha8Rng::seed_from_u64(1));
    let model = AnyModel::Recursive(model.expect("a possible configuration").into());
    Named { name: name.into(), model, judged: None, dtype: DType::F32 }
}

#[cfg(test)]
mod tests {
    use super::SERVER;
    use std::path::Path;

    #[test]
    fn the_corpus_asks_for_what_can_be_done() {
        for (name, path) in
            [("solve-request", "/v1/solve"), ("chat-request", "/v1/chat/completions")]
        {
            let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
            for seed in std::fs::read_dir(corpus).unwrap() {
                let seed = seed.unwrap().path();
                let read = SERVER.read(path, &std::fs::read(&seed).unwrap());
                assert!(read.is_ok(), "{}: {read:?}", seed.display());
            }
        }
    }
}
