//! Everything that is not recorded by a tape: values, rows, what losses read, updates, generation.

use super::case::exact_vec;
use super::{distance, random_tensor, read};
use crate::{Adam, AdamRule, DType, Device, KvCache, Parameter, Rope, Tape, Tensor};
use crate::{adam, lerp, orthogonalize, sgd, sign_sgd_rows};

pub(super) fn check(device: &Device) {
    let plain = &Device::plain();
    let formats = device.kernels().formats();
    let [got, want] = [device, plain].map(|device| results(device, formats));
    for ((name, got), (_, want)) in got.into_iter().zip(want) {
        let off = distance(&got, &want);
        assert!(off < 1e-5, "{name}, {device:?}: off by {off:e}");
    }
}

type Results = Vec<(&'static str, Vec<f32>)>;

fn results(device: &Device, formats: &[DType]) -> Results {
    let mut results = values_and_rows(device, formats);
    results.extend(labels(device));
    results.extend(updates(device));
    results.push(("attention_of_next", next(device)));
    results
}

fn values_and_rows(device: &Device, formats: &[DType]) -> Results {
    let x = Tensor::from_f32(device, &[3, 2, 5], &exact_vec(30, 1));
    let mut results: Results = Vec::new();
    for dtype in formats {
        let (x, dtype) = (x.to_dtype(*dtype), *dtype);
        let mut row = x.clone();
        row.fill_row(1, &Tensor::from_f32(device, &[5], &exact_vec(5, 2)));
        let mut added = x.clone();
        added.add_to_row(2, &random_tensor_values(10, 3));
        results.extend([
            ("to_f32_vec", read(&x)),
            ("zeros", read(&Tensor::zeros(device, &[7], dtype))),
            ("fill_row", read(&row)),
            ("add_to_row", read(&added)),
            ("a tensor that shared its storage", read(&x)),
            ("select_rows", read(&x.select_rows(&[2, 0, 0]))),
            ("append_rows", read(&x.select_rows(&[]).append_rows(&x).append_rows(&x))),
            ("is_finite", vec![truth(x.is_finite().expect("read"))]),
        ]);
    }
    let mut scaled = x.clone();
    scaled.scale(0.3);
    let infinite = Tensor::from_f32(device, &[2], &[1.0, f32::INFINITY]);
    results.extend([
        ("f32_bytes", x.f32_bytes().expect("read").iter().map(|b| f32::from(*b)).collect()),
        ("is_finite", vec![truth(infinite.is_finite().expect("read"))]),
        ("square_sum", vec![x.square_sum().expect("read") as f32]),
        ("scale", read(&scaled)),
    ]);
    results
}

fn random_tensor_values(len: usize, seed: u64) -> Vec<f32> {
    super::random_vec(len, seed)
}

fn truth(holds: bool) -> f32 {
    f32::from(u8::from(holds))
}

fn labels(device: &Device) -> Results {
    let logits = [0.0, 2.0, 1.0, 4.0, -1.0, 4.0, f32::NEG_INFINITY, -3.0, -2.0, 1.0, 0.0, 0.0];
    let logits = Tensor::from_f32(device, &[2, 2, 3], &logits);
    let exact = |labels: [u8; 4], ignore| read(&logits.exact_rows(&labels, ignore));
    let places = logits.argmax().expect("read").into_iter().map(f32::from);
    vec![
        ("argmax", places.collect()),
        ("exact_rows", exact([1, 0, 2, 1], 9)),
        ("exact_rows with cells that do not count", exact([1, 2, 9, 9], 9)),
        ("exact_rows with one that does not", exact([1, 9, 9, 0], 9)),
    ]
}

fn updates(device: &Device) -> Results {
    let shape = [7, 5];
    let tensor = |seed| random_tensor(device, &shape, seed);
    let parameter = || Parameter::new(0, "p", tensor(1));
    let mut results: Results = Vec::new();
    for (name, rule) in [("AdamATan2", AdamRule::Atan2), ("AdamW", AdamRule::W)] {
        let (mut p, mut m, mut v) = (parameter(), tensor(2).zeros_like(), tensor(2).zeros_like());
        for step in 1..4 {
            let adam_of_step = Adam { lr: 0.1, beta1: 0.9, beta2: 0.95, weight_decay: 0.5, step };
            adam(&mut p, &tensor(3 + step), [&mut m, &mut v], (&adam_of_step, rule));
        }
        results.extend([(name, read(p.value())), (name, read(&m)), (name, read(&v))]);
    }
    let (mut moved, mut signs, mut average) = (parameter(), parameter(), tensor(4));
    sgd(&mut moved, &tensor(2), 0.3, 0.9);
    let of_rows = random_tensor(device, &[4, 5], 5);
    sign_sgd_rows(&mut signs, &[6, 2, 6, 0], &of_rows, 0.25, 0.5);
    lerp(&mut average, &tensor(5), 0.9);
    results.extend([
        ("sgd", read(moved.value())),
        ("sign_sgd_rows", read(signs.value())),
        ("lerp", read(&average)),
        ("orthogonalize", read(&orthogonalize(&tensor(6), 3))),
        ("orthogonalize", read(&orthogonalize(&random_tensor(device, &[5, 33], 6), 3))),
    ]);
    results
}

/// A prompt of seven tokens, then one by one.
fn next(device: &Device) -> Vec<f32> {
    let (len, heads, width) = (37, 2, 6);
    let rope = Rope::new(len, width, 10_000.0);
    let qkv = random_tensor(device, &[2, len, 3 * heads * width], 1);
    let tape = Tape::off(device);
    let mut cache = KvCache::new(device, 2, len, [heads, width]);
    let steps = std::iter::once(0..7).chain((7..len).map(|i| i..i + 1));
    let next = steps.map(|step| {
        let tokens = tape.tokens(&qkv, step);
        read(&tape.attention_of_next(&tokens, &mut cache, Some(&rope)))
    });
    next.flatten().collect()
}
