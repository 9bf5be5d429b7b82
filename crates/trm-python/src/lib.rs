//! The Python package `trm`: values from Python and back, and what may be asked of the libraries.

mod asked;
mod data;
mod drawing;
mod errors;
mod making;
mod measure;
mod model;
mod referee;
mod results;
mod stepping;
mod thinking;
mod train;
mod values;
mod work;

use pyo3::prelude::*;

/// What `trm` is made of.
#[pymodule]
mod _trm {
    use super::*;

    #[pymodule_export]
    use crate::data::{PyData, PyDataset, PyPuzzle, load_data};
    #[pymodule_export]
    use crate::making::{arc, grid, maze, sudoku};
    #[pymodule_export]
    use crate::measure::{compare, evaluate};
    #[pymodule_export]
    use crate::model::{PyModel, from_state_dict, load};
    #[pymodule_export]
    use crate::results::{Answered, Draft};
    #[pymodule_export]
    use crate::thinking::Thinking;
    #[pymodule_export]
    use crate::train::{PyRun, train};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
