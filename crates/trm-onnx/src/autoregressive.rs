//! One token of an autoregressive model: what it has read before is in keys and values that go in and come out.

use crate::graph::{Builder, Value};
use crate::layers::Net;
use crate::proto::{FLOAT, Graph, INT64, Info};
use crate::signature::{Axis, info};
use crate::weights::{Tensors, Weights};
use std::f32::consts::FRAC_1_SQRT_2;
use trm::{Autoregressive, AutoregressiveConfig, Config, Error, Network};
use trm_ops::Rope;

pub(crate) fn graph(model: &Autoregressive, stored: Weights) -> Result<Graph, Error> {
    let (config, tensors) = (model.config(), Tensors::of(model, stored)?);
    let mut net = Net { graph: Builder::default(), tensors: &tensors };
    let place = place(&mut net);
    let turn = turn(&mut net, config, &place);
    let mut h = embed(&mut net, config, &place);
    for block in 0..config.blocks {
        h = attention(&mut net, config, block, &h, &turn);
        h = net.transform(&h, block);
    }
    let head = match config.tied {
        true => net.tensors.shared(&mut net.graph, "token_embedding"),
        false => net.tensors.linear(&mut net.graph, "lm_head"),
    };
    let logits = net.graph.op("MatMul", &[&h, &head], &[]);
    let shape = net.graph.list(&[-1, config.tokens() as i64]);
    net.graph.named("Reshape", &[&logits, &shape], "logits");
    let [inputs, outputs] = signature(config);
    Ok(net.graph.finish(inputs, outputs))
}

fn signature(config: &AutoregressiveConfig) -> [Vec<Info>; 2] {
    let shape = |tokens: &'static str| -> [Axis; 4] {
        let width = config.hidden / config.heads;
        ["batch".into(), config.heads.into(), tokens.into(), width.into()]
    };
    let caches = |prefix: &str, shape: &[Axis; 4], says: &str| -> Vec<Info> {
        let both = |block| ["keys", "values"].map(|kind| format!("{prefix}{kind}_{block}"));
        (0..config.blocks).flat_map(both).map(|name| info(&name, (FLOAT, shape), says)).collect()
    };
    let mut inputs = vec![info("token", (INT64, &["batch".into()]), "what is read next")];
    inputs.extend(caches("", &shape("read"), "of the tokens read before; none to begin with"));
    let logits = ["batch".into(), config.tokens().into()];
    let mut outputs = vec![info("logits", (FLOAT, &logits), "of the token that follows")];
    outputs.extend(caches("next_", &shape("read_now"), "with this token"));
    [inputs, outputs]
}

/// How many tokens have been read: the place of this one, `[1]`.
fn place(net: &mut Net<'_>) -> Value {
    let shape = net.graph.op("Shape", &[&"keys_0".into()], &[]);
    net.graph.slice(&shape, &[2], &[3], &[0])
}

/// Cosines and sines of the place, `[1, E / 2]` each.
fn turn(net: &mut Net<'_>, config: &AutoregressiveConfig, place: &Value) -> [Value; 2] {
    let (places, width) = (config.sequence() - 1, config.hidden / config.heads);
    let rope = Rope::new(places, width, Config::default().rope_base);
    let [cos, sin] = rope.tables();
    [("cos", cos), ("sin", sin)].map(|(name, table)| {
        let table = net.graph.floats(name, &[places, width / 2], table);
        net.graph.op("Gather", &[&table, place], &[])
    })
}

/// The token at its place, `[B, 1, D]`.
fn embed(net: &mut Net<'_>, config: &AutoregressiveConfig, place: &Value) -> Value {
    let one = net.graph.reshape(&"token".into(), &[-1, 1]);
    let token = net.tensors.rows(&mut net.graph, "token_embedding", &one);
    let place = net.tensors.rows(&mut net.graph, "positions", place);
    let sum = net.graph.add(&token, &place);
    let scale = net.graph.scalar((config.hidden as f32).sqrt() * FRAC_1_SQRT_2);
    net.graph.multiply(&sum, &scale)
}

fn attention(
    net: &mut Net<'_>,
    config: &AutoregressiveConfig,
    block: usize,
    h: &Value,
    [cos, sin]: &[Value; 2],
) -> Value {
    let AutoregressiveConfig { heads, hidden, .. } = *config;
    let [qkv, out] = ["qkv", "out"].map(|name| format!("net.{block}.{name}"));
    let [q, k, v] = [0, 1, 2].map(|part| net.heads(h, &qkv, part, [1, heads]));
    let [q, k] = [q, k].map(|x| net.rotate(&x, [cos, sin]));
    let [k, v] = [("keys", k), ("values", v)].map(|(kind, new)| {
        let all = net.graph.concat(&[&format!("{kind}_{block}").into(), &new], 2);
        net.graph.named("Identity", &[&all], &format!("next_{kind}_{block}"));
        all
    });
    let attended = net.attend([&q, &k, &v], [1, heads, hidden / heads]);
    let out = net.linear(&attended, &out);
    net.residual_norm(h, &out, -1)
}
