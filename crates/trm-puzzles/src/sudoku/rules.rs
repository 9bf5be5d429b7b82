//! Sudoku as a domain.

use rand::Rng;

use super::render::token_symbol;
use super::{
    Grid, Shape, Symmetry, check_question, class_hash, render_tokens, solver_order, verify,
};
use crate::{Error, Layout, Paint, Rules, Undo, Verdict};

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
        Ok(Grid::parse(text, Some(*self))?.to_tokens())
    }

    fn check_question(&self, question: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let question = Grid::from_tokens(*self, question)?;
        Ok(Some(check_question(&question)?.to_tokens()))
    }

    fn symbol(&self, token: u8) -> char {
        token_symbol(*self, token)
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

    fn augment(&self, question: &mut [u8], answer: &mut [u8], rng: &mut dyn Rng) {
        let symmetry = Symmetry::random(*self, rng);
        symmetry.apply_tokens(question);
        symmetry.apply_tokens(answer);
    }

    fn disguise(&self, question: &mut [u8], rng: &mut dyn Rng) -> Undo {
        let symmetry = Symmetry::random(*self, rng);
        symmetry.apply_tokens(question);
        let inverse = symmetry.inverse();
        Box::new(move |answer| inverse.apply_tokens(answer))
    }

    fn solver_order(&self, question: &[u8], answer: &[u8]) -> Option<Vec<usize>> {
        let [question, answer] = [question, answer].map(|tokens| Grid::from_tokens(*self, tokens));
        Some(solver_order(&question.ok()?, &answer.ok()?))
    }

    fn class_hash(&self, question: &[u8]) -> Result<u128, Error> {
        Ok(class_hash(&Grid::from_tokens(*self, question)?))
    }
}
