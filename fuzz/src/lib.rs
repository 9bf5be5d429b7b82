//! Everything in `trm` that reads what others have written, files and requests, as functions of arbitrary bytes. They may
//! accept or refuse; they must not panic, hang or take memory beyond what the input's size explains.
//!
//! `scripts/fuzz` runs them under libFuzzer, `tests/short.rs` for a moment in every build.

mod requests;

pub use requests::{chat_request, puzzle_request, solve_request};

use peak_alloc::PeakAlloc;
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;
use trm::{Config, Model, Network};
use trm_data::{Metadata, npy, parse_config, torch};
use trm_ops::{DType, Device};
use trm_puzzles::arc::{decode, encode, read_challenges, read_tasks};
use trm_puzzles::grid::{self as grids, Format, Wanted};
use trm_puzzles::sudoku::{Grid, check_question, read_csv};
use trm_puzzles::{Dihedral, Domain, Rules, maze as mazes};
use trm_train::Recipe;

/// A fuzz target.
pub type Target = fn(&[u8]);

/// All targets by name; each has a folder in `corpus/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("puzzle", puzzle),
    ("csv", csv),
    ("npy", npy),
    ("dataset", dataset),
    ("safetensors", safetensors),
    ("config", config),
    ("recipe", recipe),
    ("maze", maze),
    ("arc", arc),
    ("grid", grid),
    ("checkpoint", checkpoint),
    ("pickle", pickle),
    ("solve-request", solve_request),
    ("chat-request", chat_request),
    ("puzzle-request", puzzle_request),
];

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Runs a target within the bounds of all: a second of the processor (inputs have less than 10 MB), ten times the memory of the
/// input and 64 MiB.
///
/// # Panics
/// If it takes more.
pub fn bounded(target: Target, input: &[u8]) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let started = processor_time();
    target(input);
    let time = processor_time() - started;
    let used = MEMORY.peak_usage().saturating_sub(before);
    let shown = String::from_utf8_lossy(&input[..input.len().min(200)]);
    assert!(time < Duration::from_secs(1), "{time:?} for {shown:?}");
    assert!(used < 10 * input.len() + (64 << 20), "{used} bytes for {shown:?}");
}

/// What this thread has had of the processor: other programs on the machine do not count.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// A puzzle as text: on one line, in rows, or drawn. What is accepted must read back from its tokens.
pub fn puzzle(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(grid) = Grid::parse(text, None) else { return };
    assert_eq!(Grid::from_tokens(grid.shape(), &grid.to_tokens()).as_ref(), Ok(&grid));
    let domain = Domain::new(grid.shape());
    assert_eq!(domain.parse(text).ok(), Some(grid.to_tokens()));
    let _ = check_question(&grid);
}

/// A CSV of puzzles and solutions.
pub fn csv(data: &[u8]) {
    let _ = read_csv(data, "fuzz.csv");
}

/// An array of a data set.
pub fn npy(data: &[u8]) {
    let _ = npy::decode::<u8>(data);
    let _ = npy::decode::<u32>(data);
}

/// A `dataset.json`.
pub fn dataset(data: &[u8]) {
    let _ = serde_json::from_slice::<Metadata>(data);
}

/// A `model.safetensors` beside the configuration of a tiny model.
pub fn safetensors(data: &[u8]) {
    let _ = Model::from_safetensors(&tiny(), &Device::cpu(1), data);
}

/// A `config.json`.
pub fn config(data: &[u8]) {
    if let Ok(config) = parse_config(data) {
        config.check().expect("only what describes a network is accepted");
    }
}

/// A recipe; what is accepted must read back from the resolved recipe.
pub fn recipe(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(recipe) = Recipe::parse(text, &[]) {
        assert_eq!(Recipe::parse(&recipe.to_toml(), &[]).as_ref(), Ok(&recipe));
    }
}

/// A maze as text, and a CSV of mazes. What is accepted is answered by a shortest path.
pub fn maze(data: &[u8]) {
    let _ = mazes::read_csv(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(maze) = mazes::Maze::parse(text) else { return };
    if let Ok(answer) = mazes::label(&maze) {
        let verdict = mazes::judge(&maze.question(), &answer.to_tokens());
        assert_eq!(verdict, mazes::PathVerdict::Exact);
    }
}

/// Tasks of ARC in both forms. Grids that are accepted come back from a canvas.
pub fn arc(data: &[u8]) {
    let tasks = read_challenges(data, None).unwrap_or_default();
    let _ = read_challenges(br#"{"a": {"train": [], "test": []}}"#, Some(data));
    for task in tasks.iter().chain(read_tasks("task", data, None).iter().flatten()) {
        for pair in task.train.iter().chain(&task.test) {
            assert_eq!(decode(&encode(&pair.input, (0, 0))).as_ref(), Some(&pair.input));
            let (turned, width) = Dihedral::ALL[1].apply(pair.input.cells(), pair.input.width());
            assert_eq!((turned.len() / width, width), (pair.input.width(), pair.input.height()));
        }
    }
}

/// Puzzles of a user's own as CSV and JSONL, and the name of such a domain. Grids that a format was inferred
/// from are written and read back.
pub fn grid(data: &[u8]) {
    check_examples(grids::read_csv(data).unwrap_or_default());
    let Ok(text) = std::str::from_utf8(data) else { return };
    check_examples(grids::read_jsonl(text).unwrap_or_default());
    if let Some(format) = Format::from_name(text) {
        assert_eq!(text.parse(), Ok(Domain::new(format)));
    }
}

fn check_examples(mut examples: Vec<grids::Example>) {
    let _ = grids::separate(&mut examples, &Wanted::default());
    let Ok(format) = grids::infer(&examples, &Wanted::default()) else { return };
    for example in examples {
        let tokens =
            format.question_tokens(&example.input).expect("what the format was inferred from");
        let line = format.format_line(&tokens);
        if !line.is_empty() {
            assert_eq!(format.parse(&line), Ok(tokens), "{line:?}");
        }
    }
}

/// A checkpoint of PyTorch.
pub fn checkpoint(data: &[u8]) {
    if let Ok(weights) = torch::decode(data) {
        let again = torch::encode(&weights.tensors).expect("what was read can be written");
        let same = torch::decode(&again).expect("what was written can be read");
        assert_eq!(same.tensors.len(), weights.tensors.len());
    }
}

/// The pickle inside of a checkpoint, past the checksum of the archive.
pub fn pickle(data: &[u8]) {
    let _ = torch::decode(&archive(data));
}

/// A checkpoint with this pickle and two storages.
fn archive(pickle: &[u8]) -> Vec<u8> {
    use std::io::{Cursor, Write};
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in [("data.pkl", pickle), ("data/0", &[0; 256]), ("data/1", &[1; 6])] {
        archive.start_file(format!("x/{name}"), options).expect("few files");
        archive.write_all(bytes).expect("memory");
    }
    archive.finish().expect("memory").into_inner()
}

/// Sizes of the model that the corpus of `safetensors` begins with.
pub fn tiny() -> Config {
    Config {
        hidden: 4,
        heads: 1,
        inner_multiple: 4,
        blocks: 1,
        vocab_size: 3,
        seq_len: 2,
        prefix_len: 1,
        puzzle_embedding: 4,
        puzzle_identifiers: 1,
        ..Config::default()
    }
}

/// A good file of the tiny model.
pub fn tiny_weights() -> Vec<u8> {
    use rand_chacha::rand_core::SeedableRng;
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let model = Model::new(&tiny(), &Device::cpu(1), &mut rng).expect("a possible configuration");
    model.to_safetensors(DType::Bf16).expect("a CPU can be read")
}
