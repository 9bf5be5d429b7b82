//! Faults put into the programs, each of which the suite of `conformance.rs` finds.

use std::panic::{AssertUnwindSafe, catch_unwind};
use trm_gpu::{Adapter, Class, Limits, Mutant, open_within};
use trm_ops::conformance;

fn gpu() -> Option<Adapter> {
    let gpu = Adapter::number(0);
    if let Err(error) = &gpu {
        eprintln!("SKIPPED: {error}");
    }
    gpu.ok()
}

/// One fault of each kind and of each program: indices, bounds, barriers, signs, orders. None writes where another thread
/// writes too: which of the two is seen would be left to chance.
const MUTANTS: [Mutant; 24] = [
    Mutant { file: "product", right: "p.b_z + o * p.b_o", wrong: "p.b_z + o * p.a_o" },
    Mutant {
        file: "product",
        right: "k_end = min(k_first + p.chunk, p.k);",
        wrong: "k_end = p.k;",
    },
    Mutant {
        file: "product",
        right: "    if m >= m_count() { return; }\n    let at = (z * m_count() + m) * p.n + n;\n    if n < p.n { out",
        wrong: "    if m + 1u >= m_count() { return; }\n    let at = (z * m_count() + m) * p.n + n;\n    if n < p.n { out",
    },
    Mutant {
        file: "product",
        right: "load_b(source_z, o, k0, k_end, tile_n, lane);\n            workgroupBarrier();",
        wrong: "load_b(source_z, o, k0, k_end, tile_n, lane);",
    },
    Mutant { file: "product", right: "if n + 3u < p.n { out", wrong: "if n + 4u < p.n { out" },
    Mutant {
        file: "product",
        right: "row * 2u * p.n + n, p.n, g, u",
        wrong: "row * 2u * p.n + n, p.m, g, u",
    },
    Mutant {
        file: "norm",
        right: "    workgroupBarrier();\n    var sum = 0.0;",
        wrong: "    var sum = 0.0;",
    },
    Mutant {
        file: "norm",
        right: "f32(r[at]) - f32(h[at]) * mean));\n    }\n}\n\n// h",
        wrong: "f32(r[at]) + f32(h[at]) * mean));\n    }\n}\n\n// h",
    },
    Mutant {
        file: "gates",
        right: "(s * (1.0 + g * (1.0 - s)))",
        wrong: "(s * (1.0 + g * (1.0 + s)))",
    },
    Mutant {
        file: "attention",
        right: "select(p.len, token + 1u, CAUSAL",
        wrong: "select(p.len, token + 2u, CAUSAL",
    },
    Mutant { file: "attention", right: "total *= shrink;", wrong: "" },
    Mutant {
        file: "attention",
        right: "        workgroupBarrier();\n        for (var j = column",
        wrong: "        for (var j = column",
    },
    Mutant { file: "attention_backward", right: "token <= query", wrong: "token < query" },
    Mutant { file: "attention_backward", right: "token, e, -1.0);", wrong: "token, e, 1.0);" },
    Mutant { file: "embed", right: "place - p.prefix_len) ", wrong: "place) " },
    Mutant {
        file: "neighbours",
        right: "if way == 4u && column + 1u < p.columns",
        wrong: "if way == 4u && column < p.columns",
    },
    Mutant { file: "lines", right: "if value > most {", wrong: "if value >= most + 0.1 {" },
    Mutant {
        file: "units",
        right: "major / in_row * p.height + j / p.width",
        wrong: "major / in_row * p.width + j / p.width",
    },
    Mutant { file: "heads", right: "if token >= p.origin && ", wrong: "if token > p.origin && " },
    Mutant {
        file: "losses",
        right: "select(0.0, 1.0 - p.smoothing, label == token)",
        wrong: "select(0.0, 1.0, label == token)",
    },
    Mutant {
        file: "reduce",
        right: "let last = min(first + p.chunk, p.rows);",
        wrong: "let last = min(first + p.chunk, p.rows) - 1u;",
    },
    Mutant {
        file: "rows",
        right: "changed[p.origin + i] = x[p.count + i]",
        wrong: "changed[i] = x[p.count + i]",
    },
    Mutant { file: "updates", right: "t < from_of[r + 1u]", wrong: "t <= from_of[r + 1u]" },
    Mutant {
        file: "elementwise",
        right: "out1[i] = S(p.a * f32(out1[i]) + p.b",
        wrong: "out1[i] = S(f32(out1[i]) + p.b",
    },
];

#[test]
fn faults_in_programs_are_found() {
    let Some(gpu) = gpu() else { return };
    std::panic::set_hook(Box::new(|_| ())); // they are expected; what remains is told below
    let survivors = MUTANTS.iter().filter(|mutant| {
        let limits =
            Limits { mutant: Some(**mutant), class: Class::Integrated, ..Limits::of(&gpu) };
        let device = open_within(&gpu, limits).expect("a GPU that starts");
        catch_unwind(AssertUnwindSafe(|| conformance::check(&device))).is_ok()
    });
    let survivors: Vec<_> = survivors.collect();
    let _ = std::panic::take_hook();
    assert!(survivors.is_empty(), "{survivors:#?}");
}
