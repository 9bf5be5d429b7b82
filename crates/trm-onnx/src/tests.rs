//! The graphs themselves, without a runtime: `scripts/onnx-check` compares what runtimes compute.

use crate::proto::{Extent, FLOAT, Graph, INT8, Model as File};
use crate::{OPSET, Weights, autoregressive, recursive};
use prost::Message;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::collections::HashSet;
use trm::{Autoregressive, AutoregressiveConfig, Config, Mix, Model, Network, Order, Positions};
use trm_ops::Device;

/// A small one of every way of mixing, of positions, and of prefixes.
fn configs() -> Vec<Config> {
    let base = Config {
        vocab_size: 6,
        seq_len: 16,
        hidden: 16,
        heads: 2,
        inner_multiple: 8,
        columns: 4,
        cycles: 2,
        recursions: 2,
        prefix_len: 2,
        puzzle_embedding: 24,
        puzzle_identifiers: 3,
        ..Config::default()
    };
    let alone = |mix| Config { mix, prefix_len: 0, puzzle_embedding: 0, ..base.clone() };
    let with = |mix, positions| Config { mix, positions, ..base.clone() };
    vec![
        base.clone(),
        alone(Mix::Mixer),
        with(Mix::Attention, Positions::Rope),
        with(Mix::Attention, Positions::Rope2d),
        with(Mix::Attention, Positions::Learned),
        Config { boxes: [2, 2], ..alone(Mix::Units) },
        with(Mix::Neighbours, Positions::None),
        alone(Mix::Neighbours),
        Config { recursions: 0, ..alone(Mix::Axes) },
    ]
}

fn model(config: &Config) -> Model {
    Model::new(config, &Device::cpu(1), &mut ChaCha8Rng::seed_from_u64(1)).unwrap()
}

fn graph(bytes: &[u8]) -> Graph {
    let file = File::decode(bytes).unwrap();
    assert_eq!(file.opset_import[0].version, Some(OPSET));
    assert_eq!(file.metadata[0].key, "config.json");
    file.graph.unwrap()
}

/// Every value is made once, before it is read, and read afterwards; outputs are made.
fn check(graph: &Graph) {
    let mut known = HashSet::new();
    let mut make = |name: &str| assert!(known.insert(name.to_owned()), "{name} is made twice");
    graph.input.iter().for_each(|input| make(&input.name));
    graph.initializer.iter().for_each(|tensor| make(&tensor.name));
    let mut read: HashSet<&str> = graph.output.iter().map(|info| &info.name[..]).collect();
    for node in &graph.node {
        for input in &node.input {
            assert!(known.contains(input), "{} reads {input}, which is not there", node.op_type);
            read.insert(input);
        }
        node.output.iter().for_each(|output| {
            assert!(known.insert(output.clone()), "{output} is made twice");
        });
    }
    graph.output.iter().for_each(|info| assert!(known.contains(&info.name), "{}", info.name));
    let unread: Vec<_> = known.iter().filter(|name| !read.contains(&name[..])).collect();
    assert!(unread.is_empty(), "{unread:?} are never read");
}

/// Numbers in initialisers of a type.
fn stored(graph: &Graph, kind: i32) -> usize {
    let tensors = graph.initializer.iter().filter(|tensor| tensor.data_type == Some(kind));
    let sizes = tensors.map(|tensor| {
        let numbers = tensor.dims.iter().product::<i64>() as usize;
        let bytes = if kind == INT8 { 1 } else { 4 };
        assert_eq!(tensor.raw_data.as_ref().unwrap().len(), numbers * bytes, "{}", tensor.name);
        numbers
    });
    sizes.sum()
}

#[test]
fn recursive_graphs_are_whole_and_have_every_weight_once() {
    for config in configs() {
        let model = model(&config);
        let graph = graph(&recursive(&model, Weights::F32).unwrap());
        check(&graph);
        // one row of the halting head is left out; tables of rotations and single numbers are added
        let rotation = match config.positions {
            Positions::Rope | Positions::Rope2d => config.len() * config.hidden / config.heads,
            _ => 0,
        };
        let weights = model.parameter_count().0 + 2 * config.hidden - (config.hidden + 1);
        let scalars = stored(&graph, FLOAT) - weights - rotation;
        assert!((1..=5).contains(&scalars), "{config:?}: {scalars} more numbers");
    }
}

#[test]
fn int8_is_a_byte_for_every_weight_of_a_matrix() {
    for config in configs() {
        let model = model(&config);
        let graph = graph(&recursive(&model, Weights::Int8).unwrap());
        check(&graph);
        let matrices = model.parameter_count().0 - 2 * config.hidden - 2;
        let positions = match config.positions {
            Positions::Learned => config.len() * config.hidden,
            _ => 0,
        };
        assert_eq!(stored(&graph, INT8), matrices - positions, "{config:?}");
    }
}

#[test]
fn inputs_and_outputs_are_those_of_a_step() {
    let names = |infos: &[crate::proto::Info]| -> Vec<String> {
        infos.iter().map(|info| info.name.clone()).collect()
    };
    let graph = |config| graph(&recursive(&model(config), Weights::F32).unwrap());
    let [with_prefix, without, ..] = &configs()[..] else { panic!("two") };
    assert_eq!(names(&graph(without).input), ["tokens", "y", "z"]);
    let graph = graph(with_prefix);
    assert_eq!(names(&graph.input), ["tokens", "puzzle", "y", "z"]);
    let outputs = ["logits", "halt", "next_y", "next_z", "initial_y", "initial_z"];
    assert_eq!(names(&graph.output), outputs);
    let shape = graph.output[0].kind.clone().unwrap().tensor.unwrap().shape.unwrap();
    let extents: Vec<Extent> = shape.dim.into_iter().map(|dim| dim.extent.unwrap()).collect();
    assert_eq!(extents, [Extent::Free("batch".into()), Extent::Fixed(16), Extent::Fixed(6)]);
}

#[test]
fn autoregressive_graphs_are_whole_and_have_every_weight_once() {
    let orders = [(Order::Raster, false), (Order::Solver, true)];
    for ((order, tied), weights) in
        orders.into_iter().flat_map(|o| [Weights::F32, Weights::Int8].map(|w| (o, w)))
    {
        let config = AutoregressiveConfig {
            vocab_size: 6,
            seq_len: 16,
            hidden: 16,
            heads: 2,
            order,
            tied,
            ..AutoregressiveConfig::default()
        };
        let rng = &mut ChaCha8Rng::seed_from_u64(1);
        let model = Autoregressive::new(&config, &Device::cpu(1), rng).unwrap();
        let graph = graph(&autoregressive(&model, weights).unwrap());
        check(&graph);
        let all: usize = model.parameters().iter().map(|p| p.value().len()).sum();
        match weights {
            Weights::Int8 => assert_eq!(stored(&graph, INT8), all),
            Weights::F32 => {
                let rotation = (config.sequence() - 1) * config.hidden / config.heads;
                assert_eq!(stored(&graph, FLOAT), all + rotation + 3);
            }
        }
        assert_eq!((graph.input.len(), graph.output.len()), (1 + 8, 1 + 8));
    }
}
