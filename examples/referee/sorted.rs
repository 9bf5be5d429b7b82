//! Judges puzzles whose answer is the question with the symbols of its only row sorted: a referee in this process.
//!
//! cargo run --release --example referee runs/sorted data/sorted

use std::error::Error;
use std::path::Path;
use trm::Solver;
use trm_data::{Dataset, load_model};
use trm_ops::{DType, Device, Stop};
use trm_puzzles::{Judge, RefereeError, Ruling};
use trm_study::{SearchOptions, search};
use trm_train::domain_of;

struct Sorted;

impl Judge for Sorted {
    fn judge(&self, question: &[u8], answer: &[u8]) -> Result<Ruling, RefereeError> {
        let mut sorted = question.to_vec();
        sorted.sort(); // tokens are in the order of the symbols
        let broken: Vec<usize> = (0..answer.len()).filter(|i| answer[*i] != sorted[*i]).collect();
        Ok(Ruling { right: Some(broken.is_empty()), broken, ..Ruling::default() })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(run), Some(data)) = (arguments.next(), arguments.next()) else {
        return Err("name the folders of a run and of its data".into());
    };
    let mut data = Dataset::load(Path::new(&data), "test")?;
    data.referee = Some(domain_of(&data)?.judged_by(Sorted));
    let solver = Solver::new(load_model(Path::new(&run), &Device::cpu(0))?, DType::F32);
    let options = SearchOptions { search: Default::default(), time: None };
    let report = search(&solver, &data, &options, &Stop::default(), &mut |_| ())?;
    println!("{} of {} answers verified", report.verified, report.puzzles);
    Ok(())
}
