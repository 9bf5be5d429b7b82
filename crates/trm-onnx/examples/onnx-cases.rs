//! Writes graphs and what this program computes of the same models: `scripts/onnx-check` compares them with a runtime.
//!
//! `cargo run -p trm-onnx --example onnx-cases -- OUT [MODEL FOLDER …]` writes for each model NAME.onnx, NAME.int8.onnx
//! and NAME.safetensors, which holds inputs and outputs; besides those of the folders, the recorded models of the
//! public code and small random ones of every kind.

use anyhow::{Context, Result};
use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Instant;
use trm::{
    Autoregressive, AutoregressiveConfig, Config, Mix, Model, Network, Order, Positions, Question,
    State,
};
use trm_data::{AnyModel, load_any, public_name};
use trm_onnx::Weights;
use trm_ops::{DType, Device, Tape, Tensor};

const STEPS: usize = 16;
const PUZZLES: usize = 3;

type Arrays = Vec<(String, Dtype, Vec<usize>, Vec<u8>)>;

fn main() -> Result<()> {
    let mut words = std::env::args_os().skip(1).map(PathBuf::from);
    let out = words.next().context("usage: onnx-cases OUT [MODEL FOLDER …]")?;
    std::fs::create_dir_all(&out)?;
    let device = Device::cpu(1);
    for folder in words {
        let name = folder.to_string_lossy().trim_matches('/').replace('/', "-");
        match load_any(&folder, &device)? {
            AnyModel::Recursive(model) => recursive(&out, &name, &model)?,
            AnyModel::Autoregressive(model) => autoregressive(&out, &name, &model)?,
        }
    }
    for name in ["mlp", "attention", "attention-learned-positions"] {
        recursive(&out, &format!("golden-{name}"), &golden(name, &device)?)?;
    }
    for (name, config) in configs() {
        let rng = &mut ChaCha8Rng::seed_from_u64(1);
        recursive(&out, name, &stirred(Model::new(&config, &device, rng)?)?)?;
    }
    for (name, order, tied) in [("raster", Order::Raster, false), ("solver", Order::Solver, true)] {
        let config = AutoregressiveConfig {
            vocab_size: 6,
            seq_len: 16,
            hidden: 32,
            order,
            tied,
            ..AutoregressiveConfig::default()
        };
        let rng = &mut ChaCha8Rng::seed_from_u64(1);
        autoregressive(&out, name, &Autoregressive::new(&config, &device, rng)?)?;
    }
    Ok(())
}

/// Small ones of every way of mixing, of positions and of prefixes.
fn configs() -> Vec<(&'static str, Config)> {
    let base = Config {
        vocab_size: 6,
        seq_len: 24,
        hidden: 32,
        heads: 2,
        inner_multiple: 8,
        columns: 6,
        cycles: 2,
        recursions: 2,
        prefix_len: 2,
        puzzle_embedding: 40,
        puzzle_identifiers: 5,
        ..Config::default()
    };
    let alone = |mix| Config { mix, prefix_len: 0, puzzle_embedding: 0, ..base.clone() };
    let with = |mix, positions| Config { mix, positions, ..base.clone() };
    let units = Config { boxes: [2, 3], seq_len: 36, vocab_size: 8, ..alone(Mix::Units) };
    vec![
        ("mixer-prefix", with(Mix::Mixer, Positions::Learned)),
        ("mixer", alone(Mix::Mixer)),
        ("attention-rope", Config { rope_base: 100.0, ..with(Mix::Attention, Positions::Rope) }),
        (
            "attention-rope2d",
            Config { rope_base: 100.0, ..with(Mix::Attention, Positions::Rope2d) },
        ),
        ("attention-learned", with(Mix::Attention, Positions::Learned)),
        ("attention-none", alone(Mix::Attention)),
        ("units", units),
        ("neighbours-prefix", with(Mix::Neighbours, Positions::Learned)),
        ("neighbours", alone(Mix::Neighbours)),
        ("axes", alone(Mix::Axes)),
        ("no-scratchpad", Config { recursions: 0, ..alone(Mix::Axes) }),
    ]
}

/// The model with numbers where a fresh one has zeros: in its halting head and puzzle embedding.
fn stirred(model: Model) -> Result<Model> {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let values = |name: &str, values: Vec<f32>| match name {
        "q_head.weight" | "q_head.bias" | "puzzle_embedding" => {
            values.iter().map(|_| rng.random_range(-0.5..0.5)).collect()
        }
        _ => values,
    };
    filled(&model, values)
}

/// The model with other values.
fn filled(model: &Model, mut values: impl FnMut(&str, Vec<f32>) -> Vec<f32>) -> Result<Model> {
    let mut arrays = Arrays::new();
    for (name, tensor) in model.tensors() {
        arrays.push(floats(name.into(), tensor.shape(), &values(name, tensor.to_f32_vec()?)));
    }
    Ok(Model::from_safetensors(model.config(), model.device(), &file(&arrays)?)?)
}

/// A recorded model of the public code, with its first weights.
fn golden(name: &str, device: &Device) -> Result<Model> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../trm-data/tests/fixtures/golden");
    let settings: Value =
        serde_json::from_slice(&std::fs::read(folder.join(format!("{name}.json")))?)?;
    let bytes = std::fs::read(folder.join(format!("{name}.safetensors")))?;
    let recorded = SafeTensors::deserialize(&bytes)?;
    let settings = &settings["config"];
    let number = |key: &str| settings[key].as_f64().expect(key) as usize;
    let config = Config {
        domain: "golden".into(),
        vocab_size: number("vocab_size"),
        seq_len: number("seq_len"),
        hidden: number("hidden_size"),
        heads: number("num_heads"),
        expansion: number("expansion") as f32,
        blocks: number("L_layers"),
        mix: if settings["mlp_t"] == true { Mix::Mixer } else { Mix::Attention },
        positions: serde_json::from_value(settings["pos_encodings"].clone())?,
        cycles: number("H_cycles"),
        recursions: number("L_cycles"),
        prefix_len: number("puzzle_emb_len"),
        puzzle_embedding: number("puzzle_emb_ndim"),
        puzzle_identifiers: number("num_puzzle_identifiers"),
        ..Config::default()
    };
    let blank = Model::new(&config, device, &mut ChaCha8Rng::seed_from_u64(0))?;
    filled(&blank, |name, _| {
        let name = public_name(name).expect("a public name");
        let name = format!("init.{}", name.trim_start_matches("model."));
        let data = recorded.tensor(&name).expect("a recorded tensor");
        let words = data.data().chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
        words.map(f32::from_le_bytes).collect()
    })
}

/// A question in tokens: puzzles of people where the domain has some, else random ones.
fn question(config: &Config) -> (Vec<u8>, Vec<u32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let vocabulary = config.vocab_size as u8;
    let sudokus = [
        "..............3.85..1.2.......5.7.....4...1...9.......5......73..2.1........4...9",
        "8..........36......7..9.2...5...7.......457.....1...3...1....68..85...1..9....4..",
        "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79",
    ];
    let mut cell = |place: usize| match &config.domain[..] {
        "sudoku9" => match sudokus[place / 81].as_bytes()[place % 81] {
            b'.' => 1,
            digit => digit - b'0' + 1,
        },
        // walls and ways; of the corners one is the start, one the goal
        domain if domain.starts_with("maze") => match place % config.seq_len {
            0 => 3,
            last if last + 1 == config.seq_len => 4,
            _ => {
                if rng.random_bool(0.25) {
                    1
                } else {
                    2
                }
            }
        },
        _ => rng.random_range(1..vocabulary),
    };
    let tokens = (0..PUZZLES * config.seq_len).map(&mut cell).collect();
    let puzzles = (0..PUZZLES).map(|_| rng.random_range(0..config.puzzle_identifiers as u32));
    (tokens, puzzles.collect())
}

fn recursive(out: &Path, name: &str, model: &Model) -> Result<()> {
    let config = model.config();
    let (tokens, puzzles) = question(config);
    let question = Question { tokens: &tokens, puzzles: &puzzles };
    let mut arrays = vec![integers("tokens", &[PUZZLES, config.seq_len], &tokens)];
    if config.prefix_len > 0 {
        arrays.push(integers("puzzle", &[PUZZLES], &puzzles));
    }
    let (tape, mut seconds) = (Tape::off(model.device()), Vec::new());
    let mut state = model.initial_state(PUZZLES, DType::F32);
    // the same once more, disturbed at every step as rounding disturbs it: how far that goes by itself
    let mut free = state.clone();
    for step in 1..=STEPS {
        let beside = model.supervision_step(&tape, question, disturbed(&state, 1e-6)?);
        let started = Instant::now();
        let told = model.supervision_step(&tape, question, state);
        seconds.push(started.elapsed().as_secs_f32());
        arrays.push(floats(format!("halt.{step}"), &[PUZZLES], &told.halt_logits()?));
        let State { y, z } = &told.state;
        for (name, tensor) in [("logits", &told.logits), ("next_y", y), ("next_z", z)] {
            arrays.push(floats(format!("{name}.{step}"), tensor.shape(), &tensor.to_f32_vec()?));
        }
        let further = model.supervision_step(&tape, question, disturbed(&free, 1e-5)?);
        for (name, tensor) in [("disturbed", beside.logits), ("free", further.logits)] {
            arrays.push(floats(format!("{name}.{step}"), tensor.shape(), &tensor.to_f32_vec()?));
        }
        (state, free) = (told.state, further.state);
    }
    seconds.sort_by(f32::total_cmp);
    arrays.push(floats("seconds".into(), &[], &[seconds[STEPS / 2]]));
    write(out, name, &arrays, |weights| trm_onnx::recursive(model, weights))
}

/// A state in which every number of y and z is larger or smaller by a small part of it.
fn disturbed(state: &State, part: f32) -> Result<State> {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut disturb = |tensor: &Tensor| -> Result<Tensor> {
        let values = tensor.to_f32_vec()?.into_iter();
        let values = values.map(|x| x + x * if rng.random_bool(0.5) { part } else { -part });
        Ok(Tensor::from_f32(tensor.device(), tensor.shape(), &values.collect::<Vec<f32>>()))
    };
    Ok(State { y: disturb(&state.y)?, z: disturb(&state.z)? })
}

fn autoregressive(out: &Path, name: &str, model: &Autoregressive) -> Result<()> {
    let config = model.config();
    let (mut rng, len) = (ChaCha8Rng::seed_from_u64(3), config.sequence() - 1);
    let mut token = || rng.random_range(0..config.tokens() as u8);
    let tokens: Vec<u8> = (0..PUZZLES * len).map(|_| token()).collect();
    let tape = Tape::off(model.device());
    let logits = model.logits(&tape, &tokens, 0..len, (PUZZLES, DType::F32));
    let arrays = vec![
        integers("tokens", &[PUZZLES, len], &tokens),
        floats("logits".into(), logits.shape(), &logits.to_f32_vec()?),
    ];
    write(out, name, &arrays, |weights| trm_onnx::autoregressive(model, weights))
}

fn write(
    out: &Path,
    name: &str,
    arrays: &Arrays,
    graph: impl Fn(Weights) -> Result<Vec<u8>, trm_onnx::Error>,
) -> Result<()> {
    std::fs::write(out.join(format!("{name}.onnx")), graph(Weights::F32)?)?;
    std::fs::write(out.join(format!("{name}.int8.onnx")), graph(Weights::Int8)?)?;
    std::fs::write(out.join(format!("{name}.safetensors")), file(arrays)?)?;
    Ok(())
}

fn file(arrays: &Arrays) -> Result<Vec<u8>> {
    let views = arrays.iter().map(|(name, dtype, shape, bytes)| {
        (name, TensorView::new(*dtype, shape.clone(), bytes).expect("sizes are right"))
    });
    Ok(safetensors::serialize(views, None)?)
}

fn floats(name: String, shape: &[usize], values: &[f32]) -> (String, Dtype, Vec<usize>, Vec<u8>) {
    let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    (name, Dtype::F32, shape.into(), bytes)
}

fn integers<T: Copy + Into<i64>>(
    name: &str,
    shape: &[usize],
    values: &[T],
) -> (String, Dtype, Vec<usize>, Vec<u8>) {
    let bytes = values.iter().flat_map(|x| (*x).into().to_le_bytes()).collect();
    (name.into(), Dtype::I64, shape.into(), bytes)
}
