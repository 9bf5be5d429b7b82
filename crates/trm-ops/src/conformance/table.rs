//! The operations, on sizes that no block, panel or vector divides.

use super::Case;
use crate::{Axis, DType, Likelihood, Lines, Parameter, Rope, Tape, Tensor, Units};

type Row = (&'static str, Case, Box<dyn Fn(&Tape, &[Tensor], &[Parameter]) -> Tensor>);

fn row(
    name: &'static str,
    case: Case,
    operation: impl Fn(&Tape, &[Tensor], &[Parameter]) -> Tensor + 'static,
) -> Row {
    (name, case, Box::new(operation))
}

fn pattern(len: usize, below: usize) -> Vec<u8> {
    (0..len).map(|i| (i * i % below) as u8).collect()
}

pub(super) fn cases() -> Vec<Row> {
    let mut all = layers();
    all.extend(mixing());
    all.extend(attention());
    all.extend(heads_and_losses());
    all
}

fn layers() -> Vec<Row> {
    let embed = |prefix: usize| {
        let case = Case::new().input(&[3, 2 * 19 + 1]).parameter(&[5, 19]).parameter(&[40, 19]);
        row("embed", case, move |tape, x, w| {
            let tokens = pattern(3 * 7, 5);
            let positions = Some((&w[1], 2));
            tape.embed(&tokens, (prefix, Some(&x[0])), &w[0], positions, (3, x[0].dtype()))
        })
    };
    let two = |shape: &[usize]| Case::new().input(shape).input(shape);
    vec![
        embed(3),
        row("add", two(&[3, 131, 5]), |tape, x, _| tape.add(&x[0], &x[1])),
        row(
            "linear",
            Case::new().input(&[2, 67, 45]).parameter(&[71, 45]).parameter(&[71]),
            |tape, x, w| tape.linear(&x[0], &w[0], Some(&w[1])),
        ),
        row(
            "residual_linear",
            Case::new().input(&[2, 67, 71]).input(&[2, 67, 45]).parameter(&[71, 45]),
            |tape, x, w| tape.residual_linear(&x[0], &x[1], &w[0]),
        ),
        row("residual_norm over features", two(&[2, 35, 51]), |tape, x, _| {
            tape.residual_norm(&x[0], &x[1], Axis::Features)
        }),
        row("residual_norm over tokens", two(&[2, 35, 51]), |tape, x, _| {
            tape.residual_norm(&x[0], &x[1], Axis::Tokens)
        }),
        row(
            "residual_swiglu",
            Case::new().input(&[2, 67, 45]).parameter(&[2 * 37, 45]).parameter(&[45, 37]),
            |tape, x, w| tape.residual_swiglu(&x[0], &w[0], &w[1]),
        ),
    ]
}

fn mixing() -> Vec<Row> {
    let units = |height: usize, width: usize| {
        let tokens = (height * width).pow(3);
        let mut case = Case::new().input(&[2, tokens, Units::LANES]);
        for _ in 0..5 {
            case = case.parameter(&[Units::LANES, Units::LANES]);
        }
        row("mix_units", case, move |tape, x, w| {
            let weights = w.try_into().expect("five weights");
            tape.mix_units(&x[0], weights, Units { height, width })
        })
    };
    vec![
        row(
            "residual_token_swiglu",
            Case::new().input(&[3, 41, 67]).parameter(&[2 * 53, 41]).parameter(&[41, 53]),
            |tape, x, w| tape.residual_token_swiglu(&x[0], &w[0], &w[1]),
        ),
        row(
            "token_swiglu with fewer units than tokens",
            Case::new().input(&[3, 41, 67]).parameter(&[2 * 13, 41]).parameter(&[41, 13]),
            |tape, x, w| tape.token_swiglu(&x[0], &w[0], &w[1]),
        ),
        row("neighbours", Case::new().input(&[2, 35, 19]), |tape, x, _| {
            tape.neighbours(&x[0], 0, 7)
        }),
        row("neighbours with a prefix", Case::new().input(&[2, 38, 19]), |tape, x, _| {
            tape.neighbours(&x[0], 3, 7)
        }),
        row("lines: rows", Case::new().input(&[2, 35, 19]), |tape, x, _| {
            tape.lines(&x[0], Lines::rows(7))
        }),
        row("lines: columns", Case::new().input(&[2, 35, 19]), |tape, x, _| {
            tape.lines(&x[0], Lines::columns(7))
        }),
        row(
            "add_lines",
            Case::new().input(&[2, 35, 19]).input(&[2, 5, 19]).input(&[2, 7, 19]),
            |tape, x, _| tape.add_lines(&x[0], &x[1], &x[2]),
        ),
        units(2, 3),
        units(1, 3),
    ]
}

fn attention() -> Vec<Row> {
    let attention = |name, [len, heads, width]: [usize; 3], causal: bool, rotary: bool| {
        let case = Case::new().input(&[2, len, 3 * heads * width]);
        row(name, case, move |tape, x, _| {
            let rope = rotary.then(|| Rope::new(len, width, 10_000.0));
            match causal {
                false => tape.attention(&x[0], heads, rope.as_ref()),
                true => tape.causal_attention(&x[0], heads, rope.as_ref()),
            }
        })
    };
    vec![
        attention("attention", [97, 2, 18], false, true),
        attention("attention without places", [61, 3, 5], false, false),
        attention("causal_attention", [67, 2, 34], true, true),
        attention("causal_attention of two", [2, 2, 2], true, false),
    ]
}

fn heads_and_losses() -> Vec<Row> {
    let cross_entropy = |name, likelihood, smoothing| {
        row(name, Case::new().input(&[3, 5, 7]).f32_only(), move |tape, x, _| {
            tape.cross_entropy(&x[0], &pattern(15, 7), 0, likelihood, smoothing)
        })
    };
    vec![
        row("tokens", Case::new().input(&[2, 13, 19]), |tape, x, _| tape.tokens(&x[0], 3..13)),
        row("mean_token", Case::new().input(&[2, 13, 19]), |tape, x, _| tape.mean_token(&x[0])),
        row("symbol_logits", Case::new().input(&[2, 12, 1]).f32_only(), |tape, x, _| {
            tape.symbol_logits(&x[0], 3, 5)
        }),
        cross_entropy("cross_entropy by stablemax", Likelihood::Stablemax, 0.0),
        cross_entropy("cross_entropy by softmax", Likelihood::Softmax, 0.2),
        row("halt_loss", Case::new().input(&[5, 2]).f32_only(), |tape, x, _| {
            let correct = Tensor::from_f32(tape.device(), &[5], &[1.0, 0.0, 0.0, 1.0, 1.0]);
            tape.halt_loss(&x[0], &correct)
        }),
        row("embed without prefix", Case::new().parameter(&[5, 19]), |tape, _, w| {
            tape.embed(&pattern(21, 5), (0, None), &w[0], None, (3, DType::F32))
        }),
    ]
}
