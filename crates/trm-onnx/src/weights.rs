//! The tensors of a network as initialisers.

use crate::graph::{Builder, Of, Value};
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use trm::{Error, Network};

/// How weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// As they are.
    F32,
    /// As whole numbers from -127 to 127, each output of a layer and each row of a table with a factor of its own.
    Int8,
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Weights::F32 => "f32",
            Weights::Int8 => "int8",
        })
    }
}

/// The tensors of a network.
pub(crate) struct Tensors {
    all: HashMap<String, (Vec<usize>, Vec<f32>)>,
    stored: Weights,
}

impl Tensors {
    pub(crate) fn of(network: &impl Network, stored: Weights) -> Result<Tensors, Error> {
        let tensors = network.tensors().into_iter();
        let tensors = tensors.map(|(name, tensor)| {
            Ok((name.to_owned(), (tensor.shape().to_vec(), tensor.to_f32_vec()?)))
        });
        Ok(Tensors { all: tensors.collect::<Result<_, Error>>()?, stored })
    }

    /// Shape and values of one.
    pub(crate) fn get(&self, name: &str) -> (&[usize], &[f32]) {
        let (shape, values) = &self.all[name];
        (shape, values)
    }

    /// Some outputs and inputs of a matrix `[N, K]`, as MatMul wants it: `[K, N]`.
    pub(crate) fn matrix(
        &self,
        graph: &mut Builder,
        name: &str,
        (rows, columns): (Range<usize>, Range<usize>),
    ) -> Value {
        let label = format!("{name}[{}..,{}..]", rows.start, columns.start);
        let (shape, values) = self.get(name);
        let (k, n, width) = (columns.len(), rows.len(), shape[1]);
        let whole = [n, k] == *shape;
        let label = if whole { name.to_owned() } else { label };
        graph.once(&format!("{label}ᵀ"), |graph| {
            let at = |i: usize| (rows.start + i % n) * width + columns.start + i / n;
            let values: Vec<f32> = (0..k * n).map(|i| values[at(i)]).collect();
            match self.stored {
                Weights::F32 => graph.floats(&label, &[k, n], &values),
                Weights::Int8 => {
                    let (whole, factors) = quantised(&values, n, |i| i % n);
                    let whole = graph.bytes(&format!("{label}.int8"), &[k, n], &whole);
                    let factors = graph.floats(&format!("{label}.factors"), &[n], &factors);
                    graph.op("DequantizeLinear", &[&whole, &factors], &[Of::One("axis", 1)])
                }
            }
        })
    }

    /// A whole matrix, as MatMul wants it.
    pub(crate) fn linear(&self, graph: &mut Builder, name: &str) -> Value {
        let [n, k] = *self.get(name).0 else { panic!("{name} is a matrix") };
        self.matrix(graph, name, (0..n, 0..k))
    }

    /// Rows of a table `[R, D]` at places.
    pub(crate) fn rows(&self, graph: &mut Builder, name: &str, places: &Value) -> Value {
        if self.stored == Weights::F32 {
            let table = self.table(graph, name);
            return graph.op("Gather", &[&table, places], &[]);
        }
        let rows = self.quantised_table(graph, name);
        let [whole, factors] = rows.map(|part| graph.op("Gather", &[&part, places], &[]));
        let numbers = graph.op("Cast", &[&whole], &[Of::One("to", crate::proto::FLOAT.into())]);
        let last = graph.list(&[-1]);
        let factors = graph.op("Unsqueeze", &[&factors, &last], &[]);
        graph.multiply(&numbers, &factors)
    }

    /// A table `[R, D]` as MatMul wants it, where [`Tensors::rows`] reads it too.
    pub(crate) fn shared(&self, graph: &mut Builder, name: &str) -> Value {
        let table = match self.stored {
            Weights::F32 => self.table(graph, name),
            Weights::Int8 => {
                let [whole, factors] = self.quantised_table(graph, name);
                graph.op("DequantizeLinear", &[&whole, &factors], &[Of::One("axis", 0)])
            }
        };
        graph.transpose(&table, &[1, 0])
    }

    /// A table as whole numbers, and the factors of its rows.
    fn quantised_table(&self, graph: &mut Builder, name: &str) -> [Value; 2] {
        let (shape, values) = self.get(name);
        let [count, d] = *shape else { panic!("{name} is a table") };
        let names = [format!("{name}.int8"), format!("{name}.factors")];
        graph.once(&names[0], |graph| {
            let (whole, factors) = quantised(values, count, |i| i / d);
            let whole = graph.bytes(&names[0], shape, &whole);
            graph.floats(&names[1], &[count], &factors);
            whole
        });
        names.map(|name| name.as_str().into())
    }

    /// A table in its own layout, for those who read all of it.
    pub(crate) fn table(&self, graph: &mut Builder, name: &str) -> Value {
        let (shape, values) = self.get(name);
        graph.once(name, |graph| graph.floats(name, shape, values))
    }
}

/// Values as whole numbers, and the factor of each group of values: the largest of it becomes 127.
fn quantised(values: &[f32], groups: usize, group: impl Fn(usize) -> usize) -> (Vec<i8>, Vec<f32>) {
    let mut factors = vec![0.0f32; groups];
    for (i, x) in values.iter().enumerate() {
        let factor = &mut factors[group(i)];
        *factor = factor.max(x.abs() / 127.0);
    }
    // a group of zeros alone, or of numbers too small to divide by
    factors.iter_mut().filter(|factor| !factor.is_normal()).for_each(|factor| *factor = 1.0);
    let whole = values.iter().enumerate().map(|(i, x)| (x / factors[group(i)]).round() as i8);
    (whole.collect(), factors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_has_its_own_factor() {
        let (whole, factors) = quantised(&[127.0, 0.5, -63.6, -0.25, 0.0, 0.1], 2, |i| i % 2);
        assert_eq!(factors, [1.0, 0.5 / 127.0]);
        assert_eq!(whole, [127, 127, -64, -64, 0, 25]);
        assert_eq!(quantised(&[0.0, 1e-42], 1, |_| 0), (vec![0, 0], vec![1.0]));
    }
}
