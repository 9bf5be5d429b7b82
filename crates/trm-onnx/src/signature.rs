//! What goes into a graph and comes out.

use crate::proto::{Dimension, Extent, Info, Shape, TensorType, Type};

/// An extent: a number, or a name where the caller decides.
#[derive(Clone)]
pub(crate) enum Axis {
    Fixed(usize),
    Free(&'static str),
}

impl From<usize> for Axis {
    fn from(extent: usize) -> Axis {
        Axis::Fixed(extent)
    }
}

impl From<&'static str> for Axis {
    fn from(name: &'static str) -> Axis {
        Axis::Free(name)
    }
}

/// An input or output, and what it means.
pub(crate) fn info(name: &str, (element, shape): (i32, &[Axis]), says: &str) -> Info {
    let dimension = |axis: &Axis| Dimension {
        extent: Some(match axis {
            Axis::Fixed(extent) => Extent::Fixed(*extent as i64),
            Axis::Free(name) => Extent::Free((*name).into()),
        }),
    };
    let shape = Shape { dim: shape.iter().map(dimension).collect() };
    let tensor = TensorType { element: Some(element), shape: Some(shape) };
    Info { name: name.into(), kind: Some(Type { tensor: Some(tensor) }), doc_string: says.into() }
}
