//! The recorded values of the public PyTorch implementation, reproduced: logits, states, every
//! gradient, halting, the ten-step trajectory and evaluation, for all three recorded models, on the CPU and on the first
//! GPU, if there is one.

use rand::RngExt;
use safetensors::SafeTensors;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use trm::{Config, Limits, Mix, Model, Network, Positions, Question, Solver};
use trm_data::{Example, public_name};
use trm_ops::{DType, Device, Likelihood, Tape, Tensor};
use trm_train::{Carry, Precision, TrainConfig, Trainer};

const NAMES: [&str; 3] = ["mlp", "attention", "attention-learned-positions"];

struct Golden {
    settings: Value,
    bytes: Vec<u8>,
}

impl Golden {
    fn load(name: &str) -> Golden {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../trm-data/tests/fixtures/golden");
        let read = |extension| std::fs::read(folder.join(format!("{name}.{extension}"))).unwrap();
        let settings = serde_json::from_slice(&read("json")).unwrap();
        Golden { settings, bytes: read("safetensors") }
    }

    fn f32(&self, key: &str) -> Vec<f32> {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        let data = file.tensor(key).unwrap_or_else(|_| panic!("no {key}")).data().to_vec();
        data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    }

    fn i32(&self, key: &str) -> Vec<i32> {
        self.f32(key).iter().map(|x| x.to_bits() as i32).collect()
    }

    /// Tokens or labels; label -100 (ignored) becomes 0, which no label in the data uses.
    fn tokens(&self, key: &str) -> Vec<u8> {
        self.i32(key).iter().map(|x| (*x).max(0) as u8).collect()
    }

    fn number(&self, section: &str, key: &str) -> f64 {
        let value = &self.settings[section][key];
        value.as_f64().unwrap_or_else(|| panic!("{section}.{key}: {value}"))
    }

    fn config(&self) -> Config {
        let n = |key| self.number("config", key) as usize;
        let text = |key: &str| self.settings["config"][key].as_str().unwrap().to_owned();
        Config {
            domain: "golden".into(),
            vocab_size: n("vocab_size"),
            seq_len: n("seq_len"),
            hidden: n("hidden_size"),
            heads: n("num_heads"),
            expansion: n("expansion") as f32,
            inner_multiple: 256,
            blocks: n("L_layers"),
            mix: match self.settings["config"]["mlp_t"].as_bool().unwrap() {
                true => Mix::Mixer,
                false => Mix::Attention,
            },
            positions: match text("pos_encodings").as_str() {
                "none" => Positions::None,
                "rope" => Positions::Rope,
                "learned" => Positions::Learned,
                other => panic!("{other}"),
            },
            cycles: n("H_cycles"),
            recursions: n("L_cycles"),
            supervision_steps: n("halt_max_steps"),
            prefix_len: n("puzzle_emb_len"),
            puzzle_embedding: n("puzzle_emb_ndim"),
            puzzle_identifiers: n("num_puzzle_identifiers"),
            ..Config::default()
        }
    }

    fn train_config(&self) -> TrainConfig {
        let x = |key| self.number("train", key) as f32;
        TrainConfig {
            steps: 10,
            batch: self.number("config", "batch_size") as usize,
            lr: x("lr"),
            weight_decay: x("weight_decay"),
            beta1: x("beta1"),
            beta2: x("beta2"),
            warmup: x("lr_warmup_steps") as u64,
            puzzle_lr: x("puzzle_emb_lr"),
            puzzle_weight_decay: x("puzzle_emb_weight_decay"),
            ema: x("ema_rate"),
            exploration: 0.0,
            precision: Precision::F32, // as recorded, whatever this machine is fastest in
            ..TrainConfig::default()
        }
    }

    /// The model with the recorded weights whose names begin with `prefix`.
    fn model(&self, prefix: &str, device: &Device) -> Model {
        let config = self.config();
        let blank =
            Model::new(&config, device, &mut trm_data::stream(0, trm_data::Purpose::Weights, 0));
        let mut tensors = Vec::new();
        let blank = blank.unwrap();
        for (name, tensor) in blank.tensors() {
            let values = self.f32(&format!("{prefix}{}", recorded_name(name)));
            assert_eq!(values.len(), tensor.len(), "{name}");
            let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
            tensors.push((name.to_owned(), tensor.shape().to_vec(), bytes));
        }
        let views = tensors.iter().map(|(name, shape, bytes)| {
            let dtype = safetensors::Dtype::F32;
            (name, safetensors::tensor::TensorView::new(dtype, shape.clone(), bytes).unwrap())
        });
        let file = safetensors::serialize(views, None).unwrap();
        Model::from_safetensors(&config, device, &file).unwrap()
    }

    fn batch(&self, step: usize) -> Vec<Example> {
        let cells = self.number("config", "seq_len") as usize;
        let questions = self.tokens(&format!("step{step}.batch.inputs"));
        let answers = self.tokens(&format!("step{step}.batch.labels"));
        let puzzles = self.i32(&format!("step{step}.batch.puzzle_identifiers"));
        let rows = questions.chunks(cells).zip(answers.chunks(cells)).zip(puzzles);
        rows.map(|((question, answer), puzzle)| Example {
            question: question.into(),
            answer: answer.into(),
            puzzle: puzzle as u32,
        })
        .collect()
    }
}

/// The recorded name of one of our tensors.
fn recorded_name(ours: &str) -> String {
    public_name(ours).unwrap().trim_start_matches("model.").into()
}

/// All recorded models on all devices.
fn everywhere() -> Vec<(&'static str, Device)> {
    let gpu = trm_gpu::Adapter::number(0).and_then(|adapter| trm_gpu::open(&adapter));
    if let Err(error) = &gpu {
        eprintln!("SKIPPED on a GPU: {error}");
    }
    let devices: Vec<Device> = [Device::cpu(2)].into_iter().chain(gpu).collect();
    NAMES.iter().flat_map(|name| devices.iter().map(|device| (*name, device.clone()))).collect()
}

/// Asserts agreement relative to the largest recorded value.
fn agree(what: &str, got: &[f32], want: &[f32], tolerance: f32) {
    assert_eq!(got.len(), want.len(), "{what}");
    let scale = want.iter().fold(1e-3f32, |m, x| m.max(x.abs()));
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        let error = (g - w).abs() / scale;
        assert!(error <= tolerance, "{what}[{i}]: {g} instead of {w} (relative error {error:e})");
    }
}

/// Outputs and every gradient of the first two steps, tensor by tensor.
#[test]
fn the_first_two_steps_have_the_recorded_outputs_and_gradients() {
    for (name, device) in everywhere() {
        let golden = Golden::load(name);
        let model = golden.model("init.", &device);
        let mut trainer = Trainer::new(model, &golden.train_config(), 0, 0);
        for (step, tolerance) in [(1, 1e-4), (2, 1e-3)] {
            let batch = golden.batch(step);
            let mut carry = trainer.carry().clone();
            carry.refill(trainer.model(), |row| batch[row].clone());
            compare_step(&golden, trainer.model(), &carry, (name, step), tolerance);
            trainer.step(|row| batch[row].clone()).unwrap();
        }
    }
}

fn compare_step(
    golden: &Golden,
    model: &Model,
    carry: &Carry,
    (name, step): (&str, usize),
    tolerance: f32,
) {
    let key = |what: &str| format!("step{step}.{what}");
    let check = |what: &str, got: &[f32]| {
        agree(&format!("{name}: {}", key(what)), got, &golden.f32(&key(what)), tolerance);
    };
    let (device, rows) = (model.device(), carry.steps.len());
    let tape = Tape::recording(device);
    let out = model.supervision_step(&tape, carry.question(), carry.state.clone());
    check("logits", &out.logits.to_f32_vec().unwrap());
    check("q_halt_logits", &out.halt_logits().unwrap());
    check("z_H", &out.state.y.to_f32_vec().unwrap());
    check("z_L", &out.state.z.to_f32_vec().unwrap());

    let exact = out.logits.exact_rows(&carry.answers, 0);
    let lm = tape.cross_entropy(&out.logits, &carry.answers, 0, Likelihood::Stablemax, 0.0);
    let halt = tape.halt_loss(&out.q, &exact);
    let seed = |w: f32| Tensor::from_f32(device, &[rows], &vec![w / rows as f32; rows]);
    let gradients = tape.backward(&[(&lm, &seed(1.0)), (&halt, &seed(0.5))]);
    for parameter in model.parameters() {
        let got = gradients.parameter(parameter).unwrap().to_f32_vec().unwrap();
        check(&format!("grad.{}", recorded_name(parameter.name())), &got);
    }
    let vectors = gradients.of(out.puzzle_vectors.as_ref().unwrap()).unwrap();
    check("grad.inner.puzzle_emb.local_weights", &vectors.to_f32_vec().unwrap());
}

/// Everything that a ten-step run shows, as (what, values).
type Trace = Vec<(String, Vec<f32>)>;

/// Ten steps from the recorded start. `nudge` moves every initial weight by at most half a unit in
/// the last place, as another order of summation would.
fn trace(golden: &Golden, nudge: u64, device: &Device) -> Trace {
    let mut model = golden.model("init.", device);
    if nudge > 0 {
        let mut rng = trm_data::stream(nudge, trm_data::Purpose::Weights, 0);
        for parameter in model.parameters_mut() {
            let shape = parameter.value().shape().to_vec();
            let values = parameter.value().to_f32_vec().unwrap();
            let moved: Vec<f32> =
                values.iter().map(|x| x * (1.0 + rng.random_range(-6e-8..6e-8f32))).collect();
            parameter.set(Tensor::from_f32(parameter.value().device(), &shape, &moved));
        }
    }
    let mut trainer = Trainer::new(model, &golden.train_config(), 0, 0);
    let mut trace = Trace::new();
    for step in 1..=10 {
        let batch = golden.batch(step);
        let m = trainer.step(|row| batch[row].clone()).unwrap();
        let counts = [m.halted, m.exact, m.halt_accuracy, m.steps].map(|n| n as f32);
        trace.push((format!("step {step} counts"), counts.to_vec()));
        let halted = trainer.carry().halted.iter().map(|h| f32::from(*h as u8));
        trace.push((format!("step {step} halted"), halted.collect()));
        trace.push((format!("step {step} lr"), vec![m.lr]));
        trace.push((format!("step {step} accuracy"), vec![m.accuracy]));
        trace.push((format!("step {step} lm_loss"), vec![m.lm_loss]));
        trace.push((format!("step {step} halt_loss"), vec![m.halt_loss]));
        trace.push((format!("step {step} loss"), vec![m.loss]));
        trace.push((format!("step {step} y"), trainer.carry().state.y.to_f32_vec().unwrap()));
    }
    for (name, tensor) in trainer.model().tensors() {
        trace.push((format!("final {name}"), tensor.to_f32_vec().unwrap()));
    }
    for parameter in trainer.averaged_model().parameters() {
        trace.push((
            format!("average {}", parameter.name()),
            parameter.value().to_f32_vec().unwrap(),
        ));
    }
    trace
}

/// The recorded value that a trace entry must have.
fn recorded(golden: &Golden, what: &str) -> Vec<f32> {
    let rows = golden.train_config().batch as f64;
    match what.split(' ').collect::<Vec<_>>()[..] {
        ["final", name] => golden.f32(&format!("final.{}", recorded_name(name))),
        ["average", name] => golden.f32(&format!("final.ema.{}", recorded_name(name))),
        ["step", step, what] => {
            let metric = |key: &str| {
                golden.settings["metrics"][step.parse::<usize>().unwrap() - 1][key]
                    .as_f64()
                    .unwrap()
            };
            let values = match what {
                "counts" => {
                    ["count", "exact_accuracy", "q_halt_accuracy", "steps"].map(metric).to_vec()
                }
                "halted" => {
                    let halted = golden.i32(&format!("step{step}.halted"));
                    halted.into_iter().map(f64::from).collect()
                }
                "lm_loss" | "loss" => vec![metric(what) / rows],
                "halt_loss" => vec![metric("q_halt_loss") / rows],
                "y" => return golden.f32(&format!("step{step}.z_H")),
                other => vec![metric(other)],
            };
            values.into_iter().map(|x| x as f32).collect()
        }
        _ => panic!("{what}"),
    }
}

/// Largest difference, relative to the largest value.
fn deviation(got: &[f32], want: &[f32]) -> f32 {
    let scale = want.iter().fold(1e-2f32, |m, x| m.max(x.abs()));
    got.iter().zip(want).fold(0.0, |m, (g, w)| m.max((g - w).abs() / scale))
}

/// Ten steps of training: losses, counts, halting, states, final and averaged weights, to 1e-3.
/// Single precision itself bounds how well two implementations can agree: where a run that differs
/// by rounding of the initial weights only moves away by more, up to five times its distance is
/// allowed, but never more than 3 %, or than that distance itself.
#[test]
fn ten_training_steps_follow_the_recorded_trajectory() {
    for (name, device) in everywhere() {
        let golden = Golden::load(name);
        let ours = trace(&golden, 0, &device);
        let twins: Vec<Trace> = (1..=4).map(|nudge| trace(&golden, nudge, &device)).collect();
        for (i, (what, got)) in ours.iter().enumerate() {
            let want = recorded(&golden, what);
            let got = &got[..want.len()];
            let noise = twins.iter().map(|twin| deviation(&twin[i].1[..want.len()], got));
            let noise = noise.fold(0.0, f32::max);
            let found = deviation(got, &want);
            let allowed = match what.split(' ').collect::<Vec<_>>()[..] {
                ["step", "1", _] => 1e-4,
                // one cell of the dozen labelled ones, where two tokens are nearly as likely
                ["step", _, "accuracy"] => 0.12,
                _ => (5.0 * noise).clamp(1e-3, noise.max(0.03)),
            };
            assert!(found <= allowed, "{name}: {what} is off by {found:e}; allowed {allowed:e}");
        }
    }
}

/// Evaluation of the recorded final weights, in f32; and in half the bits the same first
/// draft nearly everywhere.
#[test]
fn evaluation_gives_the_recorded_logits() {
    for (name, device) in everywhere() {
        let golden = Golden::load(name);
        let half = *device.kernels().formats().last().expect("a format"); // bf16, f16
        let model = Arc::new(golden.model("final.", &device));
        let examples = golden.batch(10);
        let tokens: Vec<u8> = examples.iter().flat_map(|e| e.question.clone()).collect();
        let puzzles: Vec<u32> = examples.iter().map(|e| e.puzzle).collect();
        let question = Question { tokens: &tokens, puzzles: &puzzles };
        let steps = golden.settings["eval_steps"].as_u64().unwrap() as usize;
        let [mut exact, mut rounded] = [DType::F32, half].map(|dtype| {
            let mut session = Solver::new(model.clone(), dtype).batch(puzzles.len()).session();
            session.push(question, Limits { steps, halt: None }).unwrap();
            session
        });
        for step in 1..=steps {
            let [drafts, rounded] = [&mut exact, &mut rounded].map(|session| {
                session.thoughts().take(puzzles.len()).map(Result::unwrap).collect::<Vec<_>>()
            });
            let logits: Vec<f32> = drafts.iter().flat_map(|draft| draft.logits.clone()).collect();
            agree("logits", &logits, &golden.f32(&format!("eval{step}.logits")), 1e-4);
            let q: Vec<f32> = drafts.iter().map(|draft| draft.halt_logit).collect();
            agree("q", &q, &golden.f32(&format!("eval{step}.q_halt_logits")), 1e-4);
            // of later drafts, weights after ten steps at a high rate decide too little to compare
            let [answers, rounded] = [&drafts, &rounded].map(|d| d.iter().flat_map(|d| &d.answer));
            let differ = answers.zip(rounded).filter(|(a, b)| a != b).count();
            assert!(step > 1 || differ <= 1, "{name}: {half} changes {differ} cells of 64");
        }
    }
}
