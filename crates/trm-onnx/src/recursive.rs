//! One supervision step of a recursive model, written out.

use crate::graph::{Builder, Value};
use crate::layers::Net;
use crate::mix::mix;
use crate::proto::{FLOAT, Graph, INT64, Info};
use crate::signature::info;
use crate::weights::{Tensors, Weights};
use trm::{Config, Error, Mix, Model, Positions};

/// Logit of tokens that are no symbol, where tokens are candidates ([`trm_ops::Tape::symbol_logits`]).
const NO_SYMBOL: f32 = -30.0;

pub(crate) fn graph(model: &Model, stored: Weights) -> Result<Graph, Error> {
    let (config, tensors) = (model.config(), Tensors::of(model, stored)?);
    let mut net = Net { graph: Builder::default(), tensors: &tensors };
    let x = embed(&mut net, config);
    let [mut y, mut z]: [Value; 2] = ["y", "z"].map(Value::from);
    for _ in 0..config.cycles {
        [y, z] = cycle(&mut net, config, &x, [y, z]);
    }
    heads(&mut net, config, &y);
    net.graph.named("Identity", &[&y], "next_y");
    net.graph.named("Identity", &[&z], "next_z");
    for name in ["initial_y", "initial_z"] {
        let (shape, values) = tensors.get(name);
        let value = net.graph.floats(&format!("{name}.value"), shape, values);
        net.graph.named("Identity", &[&value], name);
    }
    let [inputs, outputs] = signature(config);
    Ok(net.graph.finish(inputs, outputs))
}

fn signature(config: &Config) -> [Vec<Info>; 2] {
    let state = ["batch".into(), config.len().into(), config.hidden.into()];
    let state = |name, says| info(name, (FLOAT, &state), says);
    let (cells, one) = (config.seq_len.into(), "batch".into());
    let tokens = info("tokens", (INT64, &[one, cells]), "the question, one token per cell");
    let puzzle = (config.prefix_len > 0)
        .then(|| info("puzzle", (INT64, &["batch".into()]), "identifiers; 0 for none of its own"));
    let states = [
        state("y", "the draft so far, embedded; initial_y in every token to begin with"),
        state("z", "the scratchpad; initial_z in every token to begin with"),
    ];
    let logits = ["batch".into(), config.seq_len.into(), config.vocab_size.into()];
    let outputs = vec![
        info("logits", (FLOAT, &logits), "of every token in every cell: the largest is the draft"),
        info(
            "halt",
            (FLOAT, &["batch".into()]),
            "logit: above 0 the model holds its draft for right",
        ),
        state("next_y", "y of the next step"),
        state("next_z", "z of the next step"),
        info("initial_y", (FLOAT, &[config.hidden.into()]), "the same in every call"),
        info("initial_z", (FLOAT, &[config.hidden.into()]), "the same in every call"),
    ];
    [[tokens].into_iter().chain(puzzle).chain(states).collect(), outputs]
}

/// The embedded question, `[B, L, D]`.
fn embed(net: &mut Net<'_>, config: &Config) -> Value {
    let (d, prefix) = (config.hidden, config.prefix_len);
    let tokens = tokens(net, config);
    let mut x = net.tensors.rows(&mut net.graph, "token_embedding", &tokens);
    if prefix > 0 {
        let rows = net.tensors.rows(&mut net.graph, "puzzle_embedding", &"puzzle".into());
        let missing = prefix * d - config.puzzle_embedding;
        let rows = net.graph.pad(&rows, &[0, 0, 0, missing as i64], 0.0);
        let rows = net.graph.reshape(&rows, &[-1, prefix as i64, d as i64]);
        x = net.graph.concat(&[&rows, &x], 1);
    }
    let mut scale = (d as f32).sqrt();
    if config.positions == Positions::Learned {
        let positions = net.tensors.table(&mut net.graph, "positions");
        x = net.graph.add(&x, &positions);
        scale *= std::f32::consts::FRAC_1_SQRT_2;
    }
    let scale = net.graph.scalar(scale);
    net.graph.multiply(&x, &scale)
}

/// The tokens that are embedded, `[B, S]`; of candidates what is known of each: open, given or excluded.
fn tokens(net: &mut Net<'_>, config: &Config) -> Value {
    let tokens: Value = "tokens".into();
    if config.mix != Mix::Units {
        return tokens;
    }
    let (vocabulary, n) = (config.vocab_size, config.boxes[0] * config.boxes[1]);
    let before_digits = vocabulary - n;
    let known = |token: usize, digit: usize| match token.checked_sub(before_digits) {
        None => 0,
        Some(given) if given == digit => 1,
        Some(_) => 2,
    };
    let known = (0..vocabulary).flat_map(|token| (0..n).map(move |digit| known(token, digit)));
    let known: Vec<i64> = known.collect();
    let table = net.graph.integers("candidates", &[vocabulary, n], &known);
    let candidates = net.graph.op("Gather", &[&table, &tokens], &[]);
    net.graph.reshape(&candidates, &[-1, (n * n * n) as i64])
}

/// The blocks applied to `h + injection`.
fn call(net: &mut Net<'_>, config: &Config, h: &Value, injection: &Value) -> Value {
    let h = net.graph.add(h, injection);
    (0..config.blocks).fold(h, |h, block| {
        let h = mix(net, config, block, &h);
        net.transform(&h, block)
    })
}

/// Think n times, then act once.
fn cycle(net: &mut Net<'_>, config: &Config, x: &Value, [y, mut z]: [Value; 2]) -> [Value; 2] {
    if config.recursions == 0 {
        return [call(net, config, &y, x), z];
    }
    let injection = net.graph.add(&y, x);
    for _ in 0..config.recursions {
        z = call(net, config, &z, &injection);
    }
    [call(net, config, &y, &z), z]
}

/// Logits of the cells and of halting.
fn heads(net: &mut Net<'_>, config: &Config, y: &Value) {
    let (prefix, len) = (config.prefix_len as i64, config.len() as i64);
    let cells = match prefix {
        0 => y.clone(),
        _ => net.graph.slice(y, &[prefix], &[len], &[1]),
    };
    let read = net.linear(&cells, "lm_head");
    match config.mix {
        Mix::Units => {
            let n = config.boxes[0] * config.boxes[1];
            let scores = net.graph.reshape(&read, &[-1, (n * n) as i64, n as i64]);
            let before = (config.vocab_size - n) as i64;
            let logits = net.graph.pad(&scores, &[0, 0, before, 0, 0, 0], NO_SYMBOL);
            net.graph.named("Identity", &[&logits], "logits");
        }
        _ => net.graph.named("Identity", &[&read], "logits"),
    }
    let whole = match config.mix {
        Mix::Units | Mix::Neighbours | Mix::Axes => net.graph.reduce("ReduceMean", y, 1),
        Mix::Mixer | Mix::Attention => net.graph.slice(y, &[0], &[1], &[1]),
    };
    // the second output is there for checkpoints of the public code alone
    let (weight, bias) = (net.tensors.get("q_head.weight").1, net.tensors.get("q_head.bias").1);
    let d = config.hidden;
    let weight = net.graph.floats("q_head.weight", &[d, 1], &weight[..d]);
    let bias = net.graph.floats("q_head.bias", &[1], &bias[..1]);
    let halt = net.graph.op("MatMul", &[&whole, &weight], &[]);
    let halt = net.graph.add(&halt, &bias);
    let shape = net.graph.list(&[-1]);
    net.graph.named("Reshape", &[&halt, &shape], "halt");
}
