//! Sudoku as a domain.

use rand::Rng;

use super::published::PUBLISHED;
use super::render::token_symbol;
use super::{
    Grid, Shape, Symmetry, check_question, class_hash, render_tokens, solver_order, verify,
};
use crate::{Domain, Error, Family, Layout, Look, Paint, Published, Rules, Undo, Verdict};

/// Sudoku of all shapes.
pub const FAMILY: Family = Family {
    name: "sudoku",
    examples: "sudoku4, sudoku6, sudoku9",
    find: |name| Shape::ALL.into_iter().find(|shape| shape.name() == name).map(Domain::new),
    public: Some("sudoku9"),
};

/// The token of a cell that the answer fills.
const BLANK: u8 = 1;

impl Rules for Shape {
    fn name(&self) -> String {
        format!("sudoku{}", self.size())
    }

    fn vocab_size(&self) -> usize {
        Shape::vocab_size(*self)
    }

    fn is_given(&self, token: u8) -> bool {
        token != BLANK
    }

    fn seq_len(&self) -> usize {
        self.cells()
    }

    fn is_comment(&self, line: &str) -> bool {
        super::parse::is_comment(line)
    }

    fn parse(&self, text: &str) -> Result<Vec<u8>, Error> {
        Ok(Grid::parse(text, Some(*self)).map_err(Error::new)?.to_tokens())
    }

    fn sized_for(&self, text: &str) -> Option<Domain> {
        Some(Domain::new(Grid::parse(text, None).ok()?.shape()))
    }

    fn check_question(&self, question: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let question = Grid::from_tokens(*self, question).map_err(Error::new)?;
        Ok(Some(check_question(&question).map_err(Error::new)?.to_tokens()))
    }

    fn symbol(&self, token: u8) -> &str {
        token_symbol(*self, token)
    }

    fn look(&self, token: u8) -> Look<'_> {
        match token {
            BLANK => Look::Empty,
            _ => Look::Symbol(self.symbol(token)),
        }
    }

    fn render(&self, tokens: &[u8], paint: Paint<'_>) -> String {
        render_tokens(*self, tokens, paint)
    }

    fn has_rules(&self) -> bool {
        true
    }

    fn verify(&self, question: &[u8], answer: &[u8]) -> Verdict {
        let [question, answer] =
            [question, answer].map(|tokens| Grid::from_prediction(*self, tokens));
        Verdict::Constraints(verify(&question, &answer))
    }

    fn can_suppose(&self, token: u8) -> bool {
        token == BLANK
    }

    fn layout(&self) -> Layout {
        let (columns, rows) = (self.size(), self.box_rows());
        Layout { columns, boxes: (rows, self.box_cols()) }
    }

    fn in_words(&self) -> Option<String> {
        let (n, rows, columns) = (self.size(), self.box_rows(), self.box_cols());
        Some(format!(
            "Solve this Sudoku of {n} rows and {n} columns. Every row, every column and every box of \
             {rows} rows and {columns} columns holds each of the digits 1 to {n} exactly once. A dot is \
             an empty cell."
        ))
    }

    fn augment(&self, question: &mut [u8], answer: &mut [u8], rng: &mut dyn Rng) {
        let symmetry = Symmetry::random(*self, rng);
        symmetry.apply_tokens(question);
        symmetry.apply_tokens(answer);
    }

    fn augment_question(&self, question: &mut [u8], rng: &mut dyn Rng) -> Undo {
        let symmetry = Symmetry::random(*self, rng);
        symmetry.apply_tokens(question);
        let inverse = symmetry.inverse();
        Box::new(move |answer| inverse.apply_tokens(answer))
    }

    fn has_units(&self) -> bool {
        true
    }

    fn has_solver_order(&self) -> bool {
        true
    }

    fn solver_order(&self, question: &[u8], answer: &[u8]) -> Option<Vec<usize>> {
        let [question, answer] = [question, answer].map(|tokens| Grid::from_tokens(*self, tokens));
        let answer = answer.ok().filter(|answer| answer.filled() == self.cells())?;
        Some(solver_order(&question.ok()?, &answer))
    }

    fn class_hash(&self, question: &[u8]) -> Result<u128, Error> {
        Ok(class_hash(&Grid::from_tokens(*self, question).map_err(Error::new)?))
    }

    fn published(&self) -> Option<Published> {
        (*self == Shape::Nine).then_some(PUBLISHED)
    }
}
