//! Data sets as arrays.

use crate::drawing;
use crate::errors::{raised, refused, unfit};
use crate::values::array;
use crate::work::shortly;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PySlice};
use std::path::PathBuf;
use std::sync::Arc;
use trm_data::{Dataset, Splits};
use trm_puzzles::Domain;

/// A puzzle of a data set, with its recorded answer.
#[pyclass(frozen, module = "trm", name = "Puzzle")]
pub(crate) struct PyPuzzle {
    domain: Domain,
    pub(crate) question: Vec<u8>,
    answer: Vec<u8>,
}

#[pymethods]
impl PyPuzzle {
    /// The question as a line of text.
    #[getter]
    fn question(&self) -> String {
        self.domain.format_line(&self.question)
    }

    /// The recorded answer as a line of text.
    #[getter]
    fn answer(&self) -> String {
        self.domain.format_line(&self.answer)
    }

    /// The question as an array of tokens.
    #[getter]
    fn tokens<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        array(py, &[self.question.len()], self.question.clone())
    }

    fn __str__(&self) -> String {
        drawing::text(&self.domain, &self.question)
    }

    fn __repr__(&self) -> String {
        format!("<trm.Puzzle {}>", self.question())
    }

    fn _repr_svg_(&self) -> String {
        drawing::question(&self.domain, &self.question)
    }
}

/// One split of a data set.
#[pyclass(frozen, module = "trm", name = "Dataset")]
pub(crate) struct PyDataset(pub(crate) Arc<Dataset>);

impl PyDataset {
    fn known_domain(&self) -> PyResult<Domain> {
        self.0.metadata.domain.parse().map_err(refused)
    }

    fn puzzle(&self, domain: &Domain, i: usize) -> PyPuzzle {
        let (question, answer) = (self.0.input(i).to_vec(), self.0.label(i).to_vec());
        PyPuzzle { domain: domain.clone(), question, answer }
    }

    fn cells<'py>(&self, py: Python<'py>, tokens: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        array(py, &[self.0.len(), self.0.metadata.seq_len], tokens.to_vec())
    }
}

#[pymethods]
impl PyDataset {
    /// The questions, tokens `[N, S]`.
    #[getter]
    fn inputs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.cells(py, &self.0.inputs)
    }

    /// The answers, tokens `[N, S]`.
    #[getter]
    fn labels<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.cells(py, &self.0.labels)
    }

    /// The identifier of each example's puzzle, `[N]`.
    #[getter]
    fn identifiers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let identifiers = self.0.example_identifiers();
        array(py, &[identifiers.len()], identifiers)
    }

    /// The name of the kind of puzzle; empty where it is not known.
    #[getter]
    fn domain(&self) -> &str {
        &self.0.metadata.domain
    }

    /// Number of tokens.
    #[getter]
    fn vocab_size(&self) -> usize {
        self.0.metadata.vocab_size
    }

    /// The label that is not scored.
    #[getter]
    fn ignore_label(&self) -> u8 {
        self.0.ignore_label()
    }

    /// The digest, as `trm data check` prints it.
    #[getter]
    fn digest(&self) -> String {
        self.0.digest()
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __getitem__<'py>(&self, place: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let (py, domain, count) = (place.py(), self.known_domain()?, self.0.len() as isize);
        if let Ok(slice) = place.cast::<PySlice>() {
            let slice = slice.indices(count)?;
            let places = (0..slice.slicelength).map(|i| slice.start + i as isize * slice.step);
            let puzzles = places.map(|i| Bound::new(py, self.puzzle(&domain, i as usize)));
            return Ok(PyList::new(py, puzzles.collect::<PyResult<Vec<_>>>()?)?.into_any());
        }
        let given: isize = place.extract().map_err(|_| unfit("an index or a slice is needed"))?;
        let i = if given < 0 { given + count } else { given };
        if !(0..count).contains(&i) {
            return Err(PyIndexError::new_err(format!("{given} of {count} puzzles")));
        }
        Ok(Bound::new(py, self.puzzle(&domain, i as usize))?.into_any())
    }

    fn __repr__(&self) -> String {
        format!("<trm.Dataset: {} puzzles of {}>", self.0.len(), self.0.metadata.domain)
    }
}

/// The two splits of a data set.
#[pyclass(frozen, module = "trm", name = "Data")]
pub(crate) struct PyData {
    /// Where it is, once it has been written or read.
    folder: Option<PathBuf>,
    train: Arc<Dataset>,
    test: Arc<Dataset>,
    duplicates: usize,
}

#[pymethods]
impl PyData {
    /// To learn from.
    #[getter]
    fn train(&self) -> PyDataset {
        PyDataset(self.train.clone())
    }

    /// To measure on.
    #[getter]
    fn test(&self) -> PyDataset {
        PyDataset(self.test.clone())
    }

    /// Puzzles left out because their class was there already.
    #[getter]
    fn duplicates(&self) -> usize {
        self.duplicates
    }

    /// Where it is; None if it was not written.
    #[getter]
    fn folder(&self) -> Option<PathBuf> {
        self.folder.clone()
    }

    fn __repr__(&self) -> String {
        let (train, test) = (self.train.len(), self.test.len());
        format!("<trm.Data: {train} puzzles to train on, {test} to test on>")
    }
}

impl PyData {
    /// Data that were made, written if a folder is given.
    pub(crate) fn made(splits: Splits, folder: Option<PathBuf>) -> Result<PyData, trm_data::Error> {
        if let Some(folder) = &folder {
            splits.save(folder)?;
        }
        let Splits { train, test, duplicates, .. } = splits;
        Ok(PyData { folder, train: Arc::new(train), test: Arc::new(test), duplicates })
    }
}

/// Reads a data set.
#[pyfunction]
pub(crate) fn load_data(py: Python<'_>, folder: PathBuf) -> PyResult<PyData> {
    let read = |split| Dataset::load(&folder, split).map(Arc::new);
    let splits = shortly(py, || Ok::<_, trm_data::Error>((read("train")?, read("test")?)))?;
    let (train, test) = splits.map_err(raised)?;
    Ok(PyData { folder: Some(folder), train, test, duplicates: 0 })
}

/// A split: one of these, or that of this name of a data set or a folder.
pub(crate) fn split(py: Python<'_>, data: &Bound<'_, PyAny>, name: &str) -> PyResult<Arc<Dataset>> {
    if let Ok(data) = data.cast::<PyDataset>() {
        return Ok(data.get().0.clone());
    }
    if let Ok(data) = data.cast::<PyData>() {
        return match name {
            "train" => Ok(data.get().train.clone()),
            "test" => Ok(data.get().test.clone()),
            other => Err(refused(format!("split = `{other}`: train or test"))),
        };
    }
    let folder: PathBuf =
        data.extract().map_err(|_| unfit("data: a folder, or what trm.data or load_data gives"))?;
    let read = shortly(py, || Dataset::load(&folder, name))?;
    read.map(Arc::new).map_err(raised)
}

/// The folder of a data set.
pub(crate) fn folder(data: &Bound<'_, PyAny>) -> PyResult<PathBuf> {
    if let Ok(data) = data.cast::<PyData>() {
        let written = data.get().folder.clone();
        return written
            .ok_or_else(|| refused("the data are not in a folder: make them with out=\"FOLDER\""));
    }
    data.extract().map_err(|_| unfit("data: a folder, or what trm.data or load_data gives"))
}
