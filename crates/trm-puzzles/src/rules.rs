//! What a kind of puzzle offers to the rest of the program.

use crate::hash::fnv;
use crate::{Domain, Error, Verdict};
use rand::Rng;

/// Decorates one cell of a printed puzzle: called with the cell's position in the sequence and
/// the symbol standing there, returns what to print in its place (the symbol between
/// colour codes, for example). All that it returns should take up the same room on the terminal.
pub type Paint<'a> = &'a dyn Fn(usize, &str) -> String;

/// Turns an answer to the image of a puzzle into one to the puzzle ([`Rules::augment_question`]).
pub type Undo = Box<dyn Fn(&mut [u8]) + Send>;

/// The tokens of a question and of its answer.
pub type Pair = [Vec<u8>; 2];

/// How the cells of a puzzle lie: row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Cells of a row.
    pub columns: usize,
    /// Rows and columns of the boxes that are drawn with stronger lines; 0 for none.
    pub boxes: (usize, usize),
}

/// How a cell looks on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look<'a> {
    /// Empty.
    Empty,
    /// A symbol on the paper.
    Symbol(&'a str),
    /// Dark all over, such as a wall.
    Ink,
    /// In a colour that stands out, such as a path.
    Accent,
    /// In one of the ten colours of ARC, from 0. A puzzle that has such cells is shown in colour on terminals too.
    Colour(u8),
}

/// What others have published on the data of a domain.
#[derive(Clone, Copy, Debug)]
pub struct Published {
    /// Floating-point operations of a supervision step of the models that were measured.
    pub flops: f64,
    /// For every way of solving: its name, and steps per puzzle with the percentage of puzzles solved.
    pub results: &'static [(&'static str, &'static [(usize, f64)])],
    /// What a reader of these numbers must know.
    pub note: &'static str,
}

/// What every kind of puzzle offers to training, evaluation and the command line.
///
/// Puzzles and answers are token sequences of [`seq_len`](Rules::seq_len) values below
/// [`vocab_size`](Rules::vocab_size). Token 0 is padding and never part of a puzzle, but a
/// network may predict it: [`render`](Rules::render), [`format_line`](Rules::format_line) and
/// [`verify`](Rules::verify) take any token. A sequence of another length is the caller's
/// mistake and panics.
///
/// Most methods have a default, which is right for a puzzle of which only tokens and cells are known. An example is
/// at [`register`](crate::register).
pub trait Rules: Send + Sync + 'static {
    /// The name a domain is chosen by, such as `sudoku9`. It says all that there is to know.
    fn name(&self) -> String;

    /// What domains are called that differ in their size alone, such as `maze`: weights that do not depend on the
    /// size fit all of them.
    fn kind(&self) -> String {
        self.name()
    }

    /// How many different tokens there are, padding included.
    fn vocab_size(&self) -> usize;

    /// How many tokens make a puzzle.
    fn seq_len(&self) -> usize;

    /// How the cells lie.
    fn layout(&self) -> Layout;

    /// Reads a puzzle typed or pasted by a person.
    fn parse(&self, text: &str) -> Result<Vec<u8>, Error>;

    /// The same puzzle in the size of the first one of a text, where puzzles of a text have sizes.
    fn sized_for(&self, _text: &str) -> Option<Domain> {
        None
    }

    /// Whether a line of a file of puzzles is a comment or a heading.
    fn is_comment(&self, _line: &str) -> bool {
        false
    }

    /// Checks that a question can be asked, and returns its solution where the rules determine one.
    fn check_question(&self, question: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let is_token = |token: &u8| (1..self.vocab_size()).contains(&usize::from(*token));
        match question.len() == self.seq_len() && question.iter().all(is_token) {
            true => Ok(None),
            false => Err(Error::new(format!("not {} tokens of {}", self.seq_len(), self.name()))),
        }
    }

    /// Whether a cell of a question with this token keeps it in the answer.
    fn is_given(&self, _token: u8) -> bool {
        false
    }

    /// Puts the cells that a question keeps ([`is_given`](Rules::is_given)) back into a draft.
    fn restore_givens(&self, question: &[u8], draft: &mut [u8]) {
        for (cell, token) in draft.iter_mut().zip(question) {
            if self.is_given(*token) {
                *cell = *token;
            }
        }
    }

    /// Puts token 0 into the cells of a draft that no answer has, where answers are smaller than the canvas.
    fn clip(&self, _draft: &mut [u8]) {}

    /// Whether a question with this token in a cell could as well have a token of its answer there.
    fn can_suppose(&self, _token: u8) -> bool {
        false
    }

    /// Whether there are rules, so that [`verify`](Rules::verify) decides. Whoever has a [`Domain`] asks
    /// [`Domain::has_rules`], which knows of judges from outside too.
    fn has_rules(&self) -> bool {
        false
    }

    /// Judges an answer by the rules of the puzzle, where there are any. Whoever has a [`Domain`] asks
    /// [`Domain::verify`].
    fn verify(&self, _question: &[u8], _answer: &[u8]) -> Verdict {
        Verdict::Unchecked
    }

    /// The symbol of a token, of one character or several: a space for a place outside the grid, `?` for no token of
    /// a puzzle.
    fn symbol(&self, token: u8) -> &str;

    /// The most characters of a symbol.
    fn symbol_width(&self) -> usize {
        let widths = (0..=u8::MAX).take(self.vocab_size()).map(|t| self.symbol(t).chars().count());
        widths.max().unwrap_or(1)
    }

    /// What stands between the symbols of a row: a blank where some have several characters, else nothing.
    fn gap(&self) -> &'static str {
        if self.symbol_width() > 1 { " " } else { "" }
    }

    /// How a cell with this token looks on a page.
    fn look(&self, token: u8) -> Look<'_> {
        match self.symbol(token) {
            " " => Look::Empty,
            symbol => Look::Symbol(symbol),
        }
    }

    /// Columns and rows, from the first ones, that hold a grid.
    fn extent(&self, tokens: &[u8]) -> (usize, usize) {
        let columns = self.layout().columns;
        (columns, tokens.len() / columns)
    }

    /// The puzzle on one line, readable by [`parse`](Rules::parse).
    fn format_line(&self, tokens: &[u8]) -> String {
        let symbols: Vec<&str> = tokens.iter().map(|token| self.symbol(*token)).collect();
        symbols.join(self.gap())
    }

    /// The puzzle drawn for a terminal, each cell, as wide as the widest symbol, passed through `paint`.
    fn render(&self, tokens: &[u8], paint: Paint<'_>) -> String {
        let (columns, (width, height)) = (self.layout().columns, self.extent(tokens));
        let (gap, wide) = (self.gap(), self.symbol_width());
        let row = |y: usize| -> String {
            let cells = y * columns..y * columns + width;
            let cell = |i: usize| paint(i, &format!("{:>wide$}", self.symbol(tokens[i])));
            cells.map(cell).collect::<Vec<_>>().join(gap)
        };
        (0..height).map(row).collect::<Vec<_>>().join("\n")
    }

    /// The rules in words, for a language model that is shown the puzzle row by row in its symbols.
    fn in_words(&self) -> Option<String> {
        None
    }

    /// Replaces a question and its answer by their image under one random symmetry.
    fn augment(&self, _question: &mut [u8], _answer: &mut [u8], _rng: &mut dyn Rng) {}

    /// Replaces a question by its image under one random symmetry; what is returned turns an answer to
    /// the image back into one to the question.
    fn augment_question(&self, _question: &mut [u8], _rng: &mut dyn Rng) -> Undo {
        Box::new(|_| ())
    }

    /// A hash shared by exactly the questions that are symmetric images of one another, up to
    /// collisions of 128 bits. Stable across versions and machines.
    fn class_hash(&self, question: &[u8]) -> Result<u128, Error> {
        self.check_question(question)?;
        Ok(fnv(question))
    }

    /// Whether rows and columns have no order: puzzles stay puzzles when they change places.
    fn has_unordered_lines(&self) -> bool {
        false
    }

    /// Whether a cell of an answer belongs to the cell of the question at the same place of a plane, so that what
    /// lies beside it matters.
    fn is_plane(&self) -> bool {
        true
    }

    /// Whether rows, columns and boxes hold every digit once, digits being the tokens from 2, and 1 an open cell.
    fn has_units(&self) -> bool {
        false
    }

    /// Whether a data set holds tasks of ARC: a few examples each of a rule of its own, which the model knows by the
    /// task's identifier, on the canvas of ARC ([`arc`](crate::arc)). Images of a task have identifiers too, and vote.
    fn has_tasks(&self) -> bool {
        false
    }

    /// Whether there is a logical solver, so that [`solver_order`](Rules::solver_order) tells its order.
    fn has_solver_order(&self) -> bool {
        false
    }

    /// The open cells in the order in which a logical solver fills them, where there is such a solver and
    /// question and answer are of this kind.
    fn solver_order(&self, _question: &[u8], _answer: &[u8]) -> Option<Vec<usize>> {
        None
    }

    /// What others have published, to be shown beside what is measured.
    fn published(&self) -> Option<Published> {
        None
    }
}
