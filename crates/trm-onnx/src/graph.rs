//! Building a graph: nodes, and the numbers that they read, each of them once.

use crate::proto::{self, Attribute, FLOAT, INT, INT8, INT64, INTS, Node, Tensor};
use std::collections::HashMap;
use std::rc::Rc;

/// The name of a value.
pub(crate) type Value = Rc<str>;

/// A graph in the making.
#[derive(Default)]
pub(crate) struct Builder {
    nodes: Vec<Node>,
    initializers: Vec<Tensor>,
    /// What has been made under a name that is asked for again.
    made: HashMap<String, Value>,
    values: usize,
}

/// An integer attribute of a node, or several.
pub(crate) enum Of<'a> {
    One(&'a str, i64),
    Several(&'a str, &'a [i64]),
}

impl Of<'_> {
    fn message(&self) -> Attribute {
        match *self {
            Of::One(name, i) => {
                Attribute { name: name.into(), i: Some(i), ints: vec![], kind: Some(INT) }
            }
            Of::Several(name, ints) => {
                Attribute { name: name.into(), i: None, ints: ints.into(), kind: Some(INTS) }
            }
        }
    }
}

impl Builder {
    /// A node with one output.
    pub(crate) fn op(&mut self, op: &str, inputs: &[&Value], attributes: &[Of<'_>]) -> Value {
        let output = self.fresh();
        self.node(op, inputs, &[&output], attributes);
        output
    }

    /// A node with one output of a given name.
    pub(crate) fn named(&mut self, op: &str, inputs: &[&Value], name: &str) {
        self.node(op, inputs, &[&name.into()], &[]);
    }

    /// A value cut in two along its last axis.
    pub(crate) fn halves(&mut self, x: &Value) -> [Value; 2] {
        let halves = [self.fresh(), self.fresh()];
        self.node("Split", &[x], &[&halves[0], &halves[1]], &[Of::One("axis", -1)]);
        halves
    }

    fn fresh(&mut self) -> Value {
        self.values += 1;
        format!("v{}", self.values).into()
    }

    fn node(&mut self, op: &str, inputs: &[&Value], outputs: &[&Value], attributes: &[Of<'_>]) {
        let names = |values: &[&Value]| values.iter().map(|value| value.to_string()).collect();
        self.nodes.push(Node {
            input: names(inputs),
            output: names(outputs),
            op_type: op.into(),
            attribute: attributes.iter().map(Of::message).collect(),
        });
    }

    /// What is made under a name when it is asked for first.
    pub(crate) fn once(&mut self, name: &str, make: impl FnOnce(&mut Builder) -> Value) -> Value {
        if let Some(made) = self.made.get(name) {
            return made.clone();
        }
        let made = make(self);
        self.made.insert(name.into(), made.clone());
        made
    }

    /// Numbers as f32.
    pub(crate) fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> Value {
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.initializer(name, shape, (FLOAT, bytes))
    }

    /// Numbers as int8.
    pub(crate) fn bytes(&mut self, name: &str, shape: &[usize], values: &[i8]) -> Value {
        self.initializer(name, shape, (INT8, values.iter().map(|x| *x as u8).collect()))
    }

    /// Whole numbers in a shape.
    pub(crate) fn integers(&mut self, name: &str, shape: &[usize], values: &[i64]) -> Value {
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.initializer(name, shape, (INT64, bytes))
    }

    /// Whole numbers that follow each other: a shape, or places.
    pub(crate) fn list(&mut self, values: &[i64]) -> Value {
        let names: Vec<String> = values.iter().map(i64::to_string).collect();
        let name = format!("[{}]", names.join(","));
        self.once(&name, |graph| graph.integers(&name, &[values.len()], values))
    }

    /// One number.
    pub(crate) fn scalar(&mut self, value: f32) -> Value {
        let name = value.to_string();
        self.once(&name, |graph| graph.floats(&name, &[], &[value]))
    }

    fn initializer(&mut self, name: &str, shape: &[usize], (kind, bytes): (i32, Vec<u8>)) -> Value {
        self.initializers.push(Tensor {
            dims: shape.iter().map(|extent| *extent as i64).collect(),
            data_type: Some(kind),
            name: name.into(),
            raw_data: Some(bytes),
        });
        name.into()
    }

    pub(crate) fn add(&mut self, a: &Value, b: &Value) -> Value {
        self.op("Add", &[a, b], &[])
    }

    pub(crate) fn multiply(&mut self, a: &Value, b: &Value) -> Value {
        self.op("Mul", &[a, b], &[])
    }

    /// The same numbers in another shape; -1 for the extent that follows from the others.
    pub(crate) fn reshape(&mut self, x: &Value, shape: &[i64]) -> Value {
        let shape = self.list(shape);
        self.op("Reshape", &[x, &shape], &[])
    }

    pub(crate) fn transpose(&mut self, x: &Value, order: &[i64]) -> Value {
        self.op("Transpose", &[x], &[Of::Several("perm", order)])
    }

    pub(crate) fn concat(&mut self, parts: &[&Value], axis: i64) -> Value {
        self.op("Concat", parts, &[Of::One("axis", axis)])
    }

    /// A mean or maximum along one axis, which stays with extent 1.
    pub(crate) fn reduce(&mut self, op: &str, x: &Value, axis: i64) -> Value {
        self.op(op, &[x], &[Of::Several("axes", &[axis]), Of::One("keepdims", 1)])
    }

    /// What lies from `first` to before `end` along some axes.
    pub(crate) fn slice(&mut self, x: &Value, first: &[i64], end: &[i64], axes: &[i64]) -> Value {
        let [first, end, axes] = [first, end, axes].map(|places| self.list(places));
        self.op("Slice", &[x, &first, &end, &axes], &[])
    }

    /// With a number added around; `pads` has the begin of every axis, then the end of every axis.
    pub(crate) fn pad(&mut self, x: &Value, pads: &[i64], with: f32) -> Value {
        let (pads, with) = (self.list(pads), self.scalar(with));
        self.op("Pad", &[x, &pads, &with], &[])
    }

    /// The whole graph.
    pub(crate) fn finish(self, input: Vec<proto::Info>, output: Vec<proto::Info>) -> proto::Graph {
        let (node, initializer) = (self.nodes, self.initializers);
        proto::Graph { node, name: "step".into(), initializer, input, output }
    }
}
