//! What becomes of a mistake in a written answer.

use crate::Error;
use serde::Serialize;
use trm::{Autoregressive, AutoregressiveConfig, Network, Order, Sampling, generate};
use trm_data::Dataset;
use trm_train::{OpenCells, write_answers};

/// Where answers first go wrong, and what follows from it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FirstErrors {
    /// Answers looked at.
    pub answers: usize,
    /// Those with a wrong cell.
    pub wrong: usize,
    /// In which tenth of the answer the first wrong cell was written.
    pub tenths: [usize; 10],
    /// Of the cells written after the first wrong one, the share that is wrong too.
    pub later_wrong: f64,
    /// The same when the first wrong cell is put right and the rest is written anew.
    pub later_wrong_corrected: f64,
    /// Wrong answers that become right by that.
    pub repaired: usize,
}

/// Lets a model write greedily, and go on from each first mistake put right.
///
/// # Errors
/// If the data do not fit the model.
pub fn first_errors(
    model: &Autoregressive,
    data: &Dataset,
    batch: usize,
) -> Result<FirstErrors, Error> {
    let config = model.config();
    let open = OpenCells::of(config)?;
    let mut study = FirstErrors { answers: data.len(), ..FirstErrors::default() };
    let (mut corrected, mut later) = (Vec::new(), Later::default());
    write_answers(model, data, Sampling::Greedy, batch, &mut |puzzle, _, written| {
        let writer = Pen::new(config, data, puzzle);
        let prompt = open.prompt(config, writer.question);
        let wrong = writer.wrong(&prompt, &written.tokens);
        let Some(first) = wrong.iter().position(|wrong| *wrong) else { return };
        study.wrong += 1;
        study.tenths[10 * first / wrong.len()] += 1;
        later.add(&wrong[first + 1..]);
        let right = writer.put_right(&open, &prompt, &written.tokens, first);
        corrected.push((puzzle, first, prompt.len(), right));
    })?;
    study.later_wrong = later.share();
    let mut later = Later::default();
    for some in corrected.chunks(batch.max(1)) {
        let prompts: Vec<Vec<u8>> = some.iter().map(|(.., right)| right.clone()).collect();
        let rests = generate(model, &prompts, (Sampling::Greedy, 0))?;
        for ((puzzle, first, prompt, right), rest) in some.iter().zip(rests) {
            let writer = Pen::new(config, data, *puzzle);
            let tokens = [&right[*prompt..], &rest.tokens].concat();
            let wrong = &writer.wrong(&right[..*prompt], &tokens)[first + 1..];
            later.add(wrong);
            study.repaired += usize::from(wrong.iter().all(|wrong| !wrong));
        }
    }
    study.later_wrong_corrected = later.share();
    Ok(study)
}

#[derive(Default)]
struct Later {
    cells: usize,
    wrong: usize,
}

impl Later {
    fn add(&mut self, wrong: &[bool]) {
        self.cells += wrong.len();
        self.wrong += wrong.iter().filter(|wrong| **wrong).count();
    }

    fn share(&self) -> f64 {
        self.wrong as f64 / self.cells.max(1) as f64
    }
}

/// A puzzle that an answer is written to.
struct Pen<'a> {
    config: &'a AutoregressiveConfig,
    question: &'a [u8],
    answer: &'a [u8],
    ignore: u8,
}

impl<'a> Pen<'a> {
    fn new(config: &'a AutoregressiveConfig, data: &'a Dataset, puzzle: usize) -> Pen<'a> {
        let (question, answer) = (data.input(puzzle), data.label(puzzle));
        Pen { config, question, answer, ignore: data.ignore_label() }
    }

    /// For every cell written, whether it is wrong: another token than the answer's, or a cell that had one.
    fn wrong(&self, prompt: &[u8], written: &[u8]) -> Vec<bool> {
        let differs = |(token, label): (&u8, &u8)| *label != self.ignore && token != label;
        match self.config.order {
            Order::Raster => written.iter().zip(self.answer).map(differs).collect(),
            Order::Solver => {
                let cells = |tokens: &[u8]| tokens.iter().step_by(2).copied().collect::<Vec<_>>();
                let mut filled = cells(prompt);
                let wrong = |pair: &[u8]| {
                    let again = filled.contains(&pair[0]);
                    filled.push(pair[0]);
                    again || differs((&pair[1], &self.answer[self.cell(pair)]))
                };
                written.chunks_exact(2).map(wrong).collect()
            }
        }
    }

    fn cell(&self, pair: &[u8]) -> usize {
        usize::from(pair[0]) - self.config.vocab_size
    }

    /// Prompt and answer up to the first wrong cell, which is put right: its token, or, if it had been filled
    /// before, the cell that a solver would fill first.
    fn put_right(&self, open: &OpenCells, prompt: &[u8], written: &[u8], first: usize) -> Vec<u8> {
        let kept = [prompt, &written[..first * self.config.per_cell()]].concat();
        let right = match self.config.order {
            Order::Raster => vec![self.answer[first]],
            Order::Solver => {
                let pair = &written[2 * first..2 * first + 2];
                let filled = |cell: u8| kept.iter().step_by(2).any(|c| *c == cell);
                let unfilled = |cell: &usize| !filled((self.config.vocab_size + cell) as u8);
                let own = (!filled(pair[0])).then(|| self.cell(pair));
                let order = open.in_order(self.question, self.answer);
                let cell = own.or_else(|| order.into_iter().find(unfilled));
                self.config.write(self.answer, &[cell.expect("a cell is left to fill")])
            }
        };
        [kept, right].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wrong_cell_is_found_and_put_right() {
        let config = |order| AutoregressiveConfig {
            domain: "sudoku4".into(),
            vocab_size: 6,
            seq_len: 16,
            order,
            ..AutoregressiveConfig::default()
        };
        // 12 34 / 34 12 / 21 43 / 43 21 with three cells open: 0, 5, 15
        let answer = [2, 3, 4, 5, 4, 5, 2, 3, 3, 2, 5, 4, 5, 4, 3, 2];
        let mut question = answer;
        [0, 5, 15].into_iter().for_each(|cell| question[cell] = 1);

        let raster = config(Order::Raster);
        let pen = Pen { config: &raster, question: &question, answer: &answer, ignore: 0 };
        let mut written = answer.to_vec();
        written[5] = 2;
        written[9] = 3;
        let wrong = pen.wrong(&question, &written);
        assert_eq!(wrong.iter().filter(|w| **w).count(), 2);
        let open = OpenCells::of(&raster).unwrap();
        let right = pen.put_right(&open, &question, &written, 5);
        assert_eq!(right, [&question[..], &answer[..6]].concat());

        let solver = config(Order::Solver);
        let pen = Pen { config: &solver, question: &question, answer: &answer, ignore: 0 };
        let open = OpenCells::of(&solver).unwrap();
        let prompt = open.prompt(&solver, &question);
        let cell = |cell: u8| 6 + cell;
        // a wrong digit, then a cell once more
        let written = [cell(5), 5, cell(0), 3, cell(0), 2];
        assert_eq!(pen.wrong(&prompt, &written), [false, true, true]);
        let right = pen.put_right(&open, &prompt, &written, 1);
        assert_eq!(right, [&prompt[..], &[cell(5), 5, cell(0), 2]].concat());
        let right = pen.put_right(&open, &prompt, &written, 2);
        assert_eq!(right[right.len() - 2..], [cell(15), 2]);
    }
}
