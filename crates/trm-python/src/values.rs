//! Values of Python and of Rust: keywords, arrays, tables.

use crate::errors::{refused, unfit};
use numpy::{Element, IxDyn, PyArray1, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::conversion::FromPyObjectOwned;
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use serde::Serialize;
use serde_json::Value;

/// Keywords of a call, or keys of a table, each of them known.
pub(crate) struct Options<'py> {
    given: Option<Bound<'py, PyDict>>,
}

impl<'py> Options<'py> {
    /// Refuses unknown ones.
    pub(crate) fn of(
        name: &str,
        given: Option<&Bound<'py, PyDict>>,
        known: &[&str],
    ) -> PyResult<Options<'py>> {
        for key in given.iter().flat_map(|given| given.keys()) {
            let key: String = key.extract()?;
            if !known.contains(&&key[..]) {
                let known = known.join(", ");
                return Err(unfit(format!("{name}: unknown keyword `{key}`; there are {known}")));
            }
        }
        Ok(Options { given: given.cloned() })
    }

    /// The object given; `None` counts as nothing.
    pub(crate) fn object(&self, key: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(given) = &self.given else { return Ok(None) };
        Ok(given.get_item(key)?.filter(|value| !value.is_none()))
    }

    /// The value given.
    pub(crate) fn get<T: FromPyObjectOwned<'py>>(&self, key: &str) -> PyResult<Option<T>> {
        let Some(value) = self.object(key)? else { return Ok(None) };
        let py = value.py();
        match value.extract::<T>() {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                let error: PyErr = error.into();
                let said = format!("{key} = {}: {}", shown(&value), error.value(py));
                match error.is_instance_of::<PyOverflowError>(py) {
                    true => Err(refused(said)),
                    false => Err(unfit(said)),
                }
            }
        }
    }

    pub(crate) fn get_or<T: FromPyObjectOwned<'py>>(&self, key: &str, usual: T) -> PyResult<T> {
        Ok(self.get(key)?.unwrap_or(usual))
    }
}

/// How Python shows a value, if it can.
fn shown(value: &Bound<'_, PyAny>) -> String {
    value.repr().map_or_else(|_| "…".to_owned(), |text| text.to_string())
}

/// A value as Python has it.
pub(crate) fn to_python<'py>(
    py: Python<'py>,
    value: &impl Serialize,
) -> PyResult<Bound<'py, PyAny>> {
    let text = serde_json::to_string(value).map_err(refused)?;
    py.import("json")?.call_method1("loads", (text,))
}

/// A table of Python's as JSON; paths are texts.
pub(crate) fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    let py = value.py();
    let keywords = PyDict::new(py);
    keywords.set_item("default", py.import("os")?.getattr("fspath")?)?;
    let text = py.import("json")?.call_method("dumps", (value,), Some(&keywords))?;
    serde_json::from_str(text.cast::<PyString>()?.to_str()?).map_err(refused)
}

/// An array of these values.
pub(crate) fn array<'py, T: Element>(
    py: Python<'py>,
    shape: &[usize],
    values: Vec<T>,
) -> PyResult<Bound<'py, PyAny>> {
    Ok(PyArray1::from_vec(py, values).reshape(IxDyn(shape))?.into_any())
}

/// Whether an object is an array, a tensor say.
pub(crate) fn is_array(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(value.hasattr("__array__")? || value.hasattr("__dlpack__")?)
}

/// The shape and the values of an array, or of a tensor of another library, as this type.
pub(crate) fn from_array<T: Element + Copy>(
    value: &Bound<'_, PyAny>,
    dtype: &str,
) -> PyResult<(Vec<usize>, Vec<T>)> {
    let numpy = value.py().import("numpy")?;
    let value = match value.hasattr("__array__")? || !value.hasattr("__dlpack__")? {
        true => value.clone(),
        false => numpy.call_method1("from_dlpack", (value,))?,
    };
    let array = numpy.call_method1("ascontiguousarray", (value, dtype))?;
    let array: PyReadonlyArrayDyn<'_, T> = array.extract()?;
    Ok((array.shape().to_vec(), array.as_slice()?.to_vec()))
}

/// The shape and the tokens of an array of integers.
pub(crate) fn tokens(value: &Bound<'_, PyAny>) -> PyResult<(Vec<usize>, Vec<u8>)> {
    let array = value.py().import("numpy")?.call_method1("asarray", (value,))?;
    let kind: String = array.getattr("dtype")?.getattr("kind")?.extract()?;
    if !["i", "u"].contains(&&kind[..]) {
        return Err(unfit("tokens are an array of integers"));
    }
    let (shape, values) = from_array::<i64>(&array, "int64")?;
    let token = |value: i64| u8::try_from(value);
    let tokens = values.into_iter().map(token).collect::<Result<_, _>>();
    Ok((shape, tokens.map_err(|_| refused("tokens are 0 to 255"))?))
}
