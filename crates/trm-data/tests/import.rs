//! Checkpoints of the public PyTorch code: read, evaluated, written.

use safetensors::SafeTensors;
use serde_json::Value;
use std::path::{Path, PathBuf};
use trm::{Limits, Model, Network, Question, Solver};
use trm_data::torch::{NamedTensor, decode, encode};
use trm_data::{Known, import_tensors, public_tensors};
use trm_ops::{DType, Device};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/golden");

/// The recorded checkpoints.
fn recorded() -> [(&'static str, Vec<u8>); 2] {
    let read = |name| (name, std::fs::read(format!("{FIXTURES}/{name}-checkpoint.pt")).unwrap());
    ["mlp", "attention"].map(read)
}

fn settings(name: &str) -> PathBuf {
    Path::new(FIXTURES).join(format!("{name}.json"))
}

fn import(name: &str, tensors: Vec<NamedTensor>) -> Model {
    let known = Known::from_file(&settings(name)).unwrap();
    import_tensors(tensors, &known, &Device::cpu(1)).unwrap()
}

/// What is said of the recorded mixer, but for the keys to leave out.
fn said(leave_out: &[&str]) -> Known {
    let mut known = Known::default();
    let all = [("seq_len", 16), ("cycles", 2), ("recursions", 3), ("supervision_steps", 3)];
    for (key, value) in all.into_iter().filter(|(key, _)| !leave_out.contains(key)) {
        known.set(key, value);
    }
    known
}

/// A checkpoint like the recorded mixer, made of its recorded final weights.
fn mixer() -> Vec<NamedTensor> {
    let bytes = std::fs::read(format!("{FIXTURES}/mlp.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors = Vec::new();
    for name in file.names().into_iter().filter(|name| name.starts_with("final.inner.")) {
        let view = file.tensor(name).unwrap();
        let words = view.data().chunks_exact(4);
        tensors.push(NamedTensor {
            name: format!("_orig_mod.model.{}", &name["final.".len()..]),
            shape: view.shape().to_vec(),
            values: words.map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect(),
        });
    }
    assert_eq!(tensors.len(), 15);
    tensors
}

fn refused(tensors: Vec<NamedTensor>, known: &Known) -> String {
    import_tensors(tensors, known, &Device::cpu(1)).err().expect("not importable").to_string()
}

#[test]
fn recorded_checkpoints_give_the_recorded_logits() {
    for (name, bytes) in recorded() {
        let model = import(name, decode(&bytes).unwrap().tensors);
        let settings: Value =
            serde_json::from_slice(&std::fs::read(settings(name)).unwrap()).unwrap();
        let golden = std::fs::read(format!("{FIXTURES}/{name}.safetensors")).unwrap();
        let golden = SafeTensors::deserialize(&golden).unwrap();
        let words = |key: &str| -> Vec<[u8; 4]> {
            let data = golden.tensor(key).unwrap().data().to_vec();
            data.chunks_exact(4).map(|b| b.try_into().unwrap()).collect()
        };
        let integers = |key| words(key).into_iter().map(i32::from_le_bytes);
        let tokens: Vec<u8> = integers("step10.batch.inputs").map(|t| t as u8).collect();
        let puzzles: Vec<u32> =
            integers("step10.batch.puzzle_identifiers").map(|p| p as u32).collect();
        let steps = settings["eval_steps"].as_u64().unwrap() as usize;
        let mut session = Solver::new(model, DType::F32).batch(puzzles.len()).session();
        let question = Question { tokens: &tokens, puzzles: &puzzles };
        session.push(question, Limits { steps, halt: None }).unwrap();
        for step in 1..=steps {
            let drafts = session.thoughts().take(puzzles.len());
            let logits: Vec<f32> = drafts.flat_map(|draft| draft.unwrap().logits).collect();
            let wanted = words(&format!("eval{step}.logits")).into_iter().map(f32::from_le_bytes);
            let wanted: Vec<f32> = wanted.collect();
            let scale = wanted.iter().fold(0f32, |most, x| most.max(x.abs()));
            let errors = logits.iter().zip(&wanted).map(|(a, b)| (a - b).abs() / scale);
            let worst = errors.fold(0f32, f32::max);
            assert!(worst < 1e-4, "{name}, step {step}: {worst:e}");
        }
    }
}

#[test]
fn a_model_survives_the_way_there_and_back() {
    let model = import("mlp", mixer());
    let exported = encode(&public_tensors(&model).unwrap()).unwrap();
    let back = import("mlp", decode(&exported).unwrap().tensors);
    assert_eq!(back.to_safetensors(DType::F32).unwrap(), model.to_safetensors(DType::F32).unwrap());
    let mut names: Vec<String> = decode(&exported)
        .unwrap()
        .tensors
        .into_iter()
        .map(|t| format!("_orig_mod.{}", t.name))
        .collect();
    let mut wanted: Vec<String> = mixer().into_iter().map(|t| t.name).collect();
    names.sort();
    wanted.sort();
    assert_eq!(names, wanted);
}

#[test]
fn what_the_tensors_do_not_say_is_asked_for() {
    let message = refused(mixer(), &said(&["cycles", "seq_len"]));
    assert!(
        message.starts_with("the tensors do not say seq_len, prefix_len, cycles: give"),
        "{message}"
    );
    let model = import_tensors(mixer(), &said(&[]), &Device::cpu(1)).unwrap();
    assert_eq!((model.config().prefix_len, model.config().blocks), (2, 2)); // P = L − S
    let mut wrong = said(&[]);
    wrong.set("hidden", 64);
    assert_eq!(refused(mixer(), &wrong), "hidden = 64, but the tensors say 32");
    let mut unknown = said(&[]);
    unknown.set_typed("cycle=3").unwrap();
    assert!(refused(mixer(), &unknown).contains("unknown key cycle: did you mean cycles?"));
    assert!(said(&[]).set_typed("cycles").is_err());
}

#[test]
fn tensors_of_other_models_are_refused_by_name() {
    let with = |name: &str| {
        let mut tensors = mixer();
        let extra = NamedTensor { name: name.into(), shape: vec![1], values: vec![0.0] };
        tensors.push(extra);
        refused(tensors, &said(&[]))
    };
    let hrm = "model.inner.H_level.layers.0.mlp.down_proj.weight";
    assert_eq!(
        with(hrm),
        format!("{hrm}: a second network, as HRM has; a tiny recursive model has one")
    );
    assert_eq!(with("head.weight"), "head.weight: no tensor of a tiny recursive model");
    let mut tensors = mixer();
    tensors.retain(|tensor| !tensor.name.ends_with("lm_head.weight"));
    assert!(refused(tensors, &said(&[])).contains("lm_head"));
}

#[test]
fn other_identifiers_get_the_mean_embedding() {
    let mut known = said(&[]);
    known.set("puzzle_identifiers", 3);
    let model = import_tensors(mixer(), &known, &Device::cpu(1)).unwrap();
    let table = mixer().into_iter().find(|t| t.name.ends_with("puzzle_emb.weights")).unwrap();
    let [rows, width] = table.shape[..] else { panic!("a matrix") };
    let mean =
        |i: usize| (0..rows).map(|row| table.values[row * width + i]).sum::<f32>() / rows as f32;
    let (_, resized) =
        model.tensors().into_iter().find(|(name, _)| *name == "puzzle_embedding").unwrap();
    assert_eq!(resized.shape(), [3, width]);
    for (i, value) in resized.to_f32_vec().unwrap().into_iter().enumerate() {
        assert!((value - mean(i % width)).abs() < 1e-6);
    }
}

#[test]
fn the_public_codes_yaml_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all_config.yaml");
    let yaml = "arch:\n  name: recursive_reasoning.trm@TRM\n  H_cycles: 2\n  L_cycles: 3\n  L_layers: 2\n  \
                hidden_size: 32\n  expansion: 4\n  mlp_t: true\n  pos_encodings: none\n  \
                halt_max_steps: 3\n  puzzle_emb_len: 2\n  puzzle_emb_ndim: 32\nlr: 0.0001\n";
    std::fs::write(&path, yaml).unwrap();
    let known = Known::from_file(&path).unwrap();
    let model = import_tensors(mixer(), &known, &Device::cpu(1)).unwrap();
    assert_eq!((model.config().cycles, model.config().seq_len), (2, 16));
    std::fs::write(&path, "arch: [unclosed").unwrap();
    assert!(Known::from_file(&path).unwrap_err().to_string().contains("neither YAML nor JSON"));
}

#[test]
fn public_names_are_taken_or_refused_by_name() {
    let mut known = said(&["cycles", "recursions"]);
    for setting in ["H_cycles=2", "L_cycles=3", "halt_max_steps=3", "rope_theta=10.0"] {
        known.set_typed(setting).unwrap();
    }
    let model = import_tensors(mixer(), &known, &Device::cpu(1)).unwrap();
    assert_eq!((model.config().cycles, model.config().rope_base), (2, 10.0));
    let refusal = |setting: &str| said(&[]).set_typed(setting).unwrap_err().to_string();
    assert!(refusal("rms_norm_eps=1e-6").contains("only 1e-5"));
    assert!(refusal("causal=true").contains("only false"));
    assert!(refusal("name=recursive_reasoning.hrm@HRM").contains("only recursive_reasoning.trm"));
    assert!(refusal("mlp_t=maybe").contains("wrong kind"));
}

#[test]
fn wrapped_names_and_caches_are_understood() {
    let mut tensors = mixer();
    for tensor in &mut tensors {
        tensor.name =
            tensor.name.replace("_orig_mod.", "").replace("model.", "module.model._orig_mod.");
    }
    for name in ["model.inner.puzzle_emb.local_weights", "model.inner.rotary_emb.cos_cached"] {
        tensors.push(NamedTensor { name: name.into(), shape: vec![1], values: vec![0.0] });
    }
    assert!(import_tensors(tensors, &said(&[]), &Device::cpu(1)).is_ok());
}
