//! The Python package `trm`: conversion, and nothing but conversion.

use pyo3::prelude::*;

/// What `trm` is made of.
#[pymodule]
fn _trm(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))
}
