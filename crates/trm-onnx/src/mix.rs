//! How tokens exchange information: `rms_norm(h + what they tell each other)`, h is `[B, L, D]`.

use crate::graph::Value;
use crate::layers::Net;
use trm::{Config, Mix};

/// The first half of a block.
pub(crate) fn mix(net: &mut Net<'_>, config: &Config, block: usize, h: &Value) -> Value {
    let name = |weight: &str| format!("net.{block}.{weight}");
    match config.mix {
        Mix::Mixer => mixer(net, h, name),
        Mix::Attention => attention(net, config, h, name),
        Mix::Units => units(net, config, h, name),
        Mix::Neighbours => neighbours(net, config, h, name),
        Mix::Axes => axes(net, config, h, name),
    }
}

/// A SwiGLU over tokens.
fn mixer(net: &mut Net<'_>, h: &Value, name: impl Fn(&str) -> String) -> Value {
    let turned = net.graph.transpose(h, &[0, 2, 1]);
    let out = net.swiglu(&turned, &name("token_gate_up"), &name("token_down"));
    let normed = net.residual_norm(&turned, &out, -1);
    net.graph.transpose(&normed, &[0, 2, 1])
}

fn attention(
    net: &mut Net<'_>,
    config: &Config,
    h: &Value,
    name: impl Fn(&str) -> String,
) -> Value {
    let Config { heads, hidden, .. } = *config;
    let (len, width, qkv) = (config.len(), hidden / heads, name("qkv"));
    let [mut q, mut k, v] = [0, 1, 2].map(|part| net.heads(h, &qkv, part, [len, heads]));
    if let Some(rope) = config.rope() {
        let (shape, [cos, sin]) = ([len, width / 2], rope.tables());
        let cos = net.graph.once("cos", |graph| graph.floats("cos", &shape, cos));
        let sin = net.graph.once("sin", |graph| graph.floats("sin", &shape, sin));
        q = net.rotate(&q, [&cos, &sin]);
        k = net.rotate(&k, [&cos, &sin]);
    }
    let attended = net.attend([&q, &k, &v], [len, heads, width]);
    let out = net.linear(&attended, &name("out"));
    net.residual_norm(h, &out, -1)
}

/// Candidates hear the means of their row, column, box and cell.
fn units(net: &mut Net<'_>, config: &Config, h: &Value, name: impl Fn(&str) -> String) -> Value {
    let [height, width] = config.boxes.map(|extent| extent as i64);
    let (n, d) = (height * width, config.hidden as i64);
    let grid = net.graph.reshape(h, &[-1, n, n, n, d]); // rows, columns, digits
    let mut told = net.linear(&grid, &name("own"));
    for (unit, axis) in [("row", 2), ("column", 1), ("cell", 3)] {
        let mean = net.graph.reduce("ReduceMean", &grid, axis);
        let says = net.linear(&mean, &name(unit));
        told = net.graph.add(&told, &says);
    }
    // bands, rows of a box, stacks, columns of a box
    let boxes = [-1, width, height, height, width, n * d];
    let of_boxes = net.graph.reshape(&grid, &boxes);
    let mean = net.graph.reduce("ReduceMean", &of_boxes, 2);
    let mean = net.graph.reduce("ReduceMean", &mean, 4);
    let mean = net.graph.reshape(&mean, &[-1, width, 1, height, n, d]);
    let says = net.linear(&mean, &name("box"));
    let says = net.graph.reshape(&says, &[-1, width, 1, height, 1, n * d]);
    let told = net.graph.reshape(&told, &boxes);
    let told = net.graph.add(&told, &says);
    let told = net.graph.reshape(&told, &[-1, n * n * n, d]);
    net.residual_norm(h, &told, -1)
}

/// Cells hear the four beside them, the mean of all and that of the prefix.
fn neighbours(
    net: &mut Net<'_>,
    config: &Config,
    h: &Value,
    name: impl Fn(&str) -> String,
) -> Value {
    let (prefix, columns, d) = (config.prefix_len, config.columns as i64, config.hidden);
    let (rows, weight) = (config.seq_len as i64 / columns, name("neighbours"));
    let [first, end] = [prefix as i64, config.len() as i64];
    let cells = match prefix {
        0 => h.clone(),
        _ => net.graph.slice(h, &[first], &[end], &[1]),
    };
    let grid = net.graph.reshape(&cells, &[-1, rows, columns, d as i64]);
    let grid = net.graph.pad(&grid, &[0, 1, 1, 0, 0, 1, 1, 0], 0.0);
    let beside = [(0, 1), (2, 1), (1, 0), (1, 2)].map(|(row, column)| {
        net.graph.slice(&grid, &[row, column], &[row + rows, column + columns], &[1, 2])
    });
    let beside = net.graph.concat(&[&beside[0], &beside[1], &beside[2], &beside[3]], -1);
    let beside = net.inputs(&beside, &weight, [d, 5 * d]);
    let mut beside = net.graph.reshape(&beside, &[-1, rows * columns, d as i64]);
    let own = net.inputs(h, &weight, [0, d]);
    let mean = net.graph.reduce("ReduceMean", &cells, 1);
    let mut says = net.inputs(&mean, &weight, [5 * d, 6 * d]);
    if prefix > 0 {
        beside = net.graph.pad(&beside, &[0, first, 0, 0, 0, 0], 0.0);
        let tokens = net.graph.slice(h, &[0], &[first], &[1]);
        let mean = net.graph.reduce("ReduceMean", &tokens, 1);
        let of_prefix = net.inputs(&mean, &weight, [6 * d, 7 * d]);
        says = net.graph.add(&says, &of_prefix);
    }
    let told = net.graph.add(&own, &beside);
    let told = net.graph.add(&told, &says);
    net.residual_norm(h, &told, -1)
}

/// Cells hear the mean and the largest of their row and of their column.
fn axes(net: &mut Net<'_>, config: &Config, h: &Value, name: impl Fn(&str) -> String) -> Value {
    let (columns, d) = (config.columns as i64, config.hidden as i64);
    let grid = net.graph.reshape(h, &[-1, config.seq_len as i64 / columns, columns, d]);
    let mut told = net.linear(&grid, &name("own"));
    for (line, axis) in [("row", 2), ("column", 1)] {
        let parts = ["ReduceMean", "ReduceMax"].map(|op| net.graph.reduce(op, &grid, axis));
        let heard = net.graph.concat(&[&parts[0], &parts[1]], -1);
        let says = net.linear(&heard, &name(line));
        told = net.graph.add(&told, &says);
    }
    let told = net.graph.reshape(&told, &[-1, config.seq_len as i64, d]);
    net.residual_norm(h, &told, -1)
}
