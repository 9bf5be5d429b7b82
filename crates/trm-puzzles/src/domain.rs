//! The puzzle domains under one interface.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use rand::Rng;

use crate::Verdict;
use crate::arc::{Canvas, GridError};
use crate::grid::{Format, FormatError};
use crate::maze::{self, MazeError};
use crate::sudoku::{ParseError, PuzzleError, Shape, TokenError};

/// Decorates one cell of a printed puzzle: called with the cell's position in the sequence and
/// the character standing there, returns what to print in its place (the character between
/// colour codes, for example). All that it returns should take up the same room on the terminal.
pub type Paint<'a> = &'a dyn Fn(usize, char) -> String;

/// Turns an answer to the image of a puzzle into one to the puzzle ([`Rules::disguise`]).
pub type Undo = Box<dyn Fn(&mut [u8]) + Send>;

/// How the cells of a puzzle lie: row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Cells of a row.
    pub columns: usize,
    /// Rows and columns of the boxes that are drawn with stronger lines; 0 for none.
    pub boxes: (usize, usize),
}

/// What every kind of puzzle offers to training, evaluation and the command line.
///
/// Puzzles and answers are token sequences of [`seq_len`](Rules::seq_len) values below
/// [`vocab_size`](Rules::vocab_size). Token 0 is padding and never part of a puzzle, but a
/// network may predict it: [`render`](Rules::render), [`format_line`](Rules::format_line) and
/// [`verify`](Rules::verify) take any token. A sequence of another length is the caller's
/// mistake and panics.
pub trait Rules {
    /// The name a domain is chosen by, such as `sudoku9`.
    fn name(&self) -> String;

    /// How many different tokens there are, padding included.
    fn vocab_size(&self) -> usize;

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

    /// How many tokens make a puzzle.
    fn seq_len(&self) -> usize;

    /// Whether a line of a file of puzzles is a comment or a heading.
    fn is_comment(&self, _line: &str) -> bool {
        false
    }

    /// Reads a puzzle typed or pasted by a person.
    fn parse(&self, text: &str) -> Result<Vec<u8>, Error>;

    /// Checks that a question can be asked, and returns its solution where the rules determine one.
    fn check_question(&self, question: &[u8]) -> Result<Option<Vec<u8>>, Error>;

    /// The character of a token: a space for a place outside the grid, `?` for no token of a puzzle.
    fn symbol(&self, token: u8) -> char;

    /// The puzzle on one line, readable by [`parse`](Rules::parse).
    fn format_line(&self, tokens: &[u8]) -> String {
        tokens.iter().map(|token| self.symbol(*token)).collect()
    }

    /// The puzzle drawn for a terminal, each cell passed through `paint`.
    fn render(&self, tokens: &[u8], paint: Paint<'_>) -> String;

    /// Whether there are rules, so that [`verify`](Rules::verify) decides.
    fn has_rules(&self) -> bool {
        false
    }

    /// Judges an answer by the rules of the puzzle, where there are any.
    fn verify(&self, _question: &[u8], _answer: &[u8]) -> Verdict {
        Verdict::Unchecked
    }

    /// Whether a question with this token in a cell could as well have a token of its answer there.
    fn can_suppose(&self, _token: u8) -> bool {
        false
    }

    /// How the cells lie.
    fn layout(&self) -> Layout;

    /// Columns and rows, from the first ones, that hold a grid.
    fn extent(&self, tokens: &[u8]) -> (usize, usize) {
        let columns = self.layout().columns;
        (columns, tokens.len() / columns)
    }

    /// Replaces a question and its answer by their image under one random symmetry.
    fn augment(&self, question: &mut [u8], answer: &mut [u8], rng: &mut dyn Rng);

    /// Replaces a question by its image under one random symmetry; what is returned turns an answer to
    /// the image back into one to the question.
    fn disguise(&self, question: &mut [u8], rng: &mut dyn Rng) -> Undo;

    /// The open cells in the order in which a logical solver fills them, where there is such a solver and
    /// question and answer are of this kind.
    fn solver_order(&self, question: &[u8], answer: &[u8]) -> Option<Vec<usize>> {
        let _ = (question, answer);
        None
    }

    /// A hash shared by exactly the questions that are symmetric images of one another, up to
    /// collisions of 128 bits. Stable across versions and machines.
    fn class_hash(&self, question: &[u8]) -> Result<u128, Error>;
}

/// The kinds of puzzles known to this crate. A domain is a name for its [`Rules`] and
/// dereferences to them.
///
/// ```
/// use trm_puzzles::Domain;
/// use trm_puzzles::sudoku::Shape;
///
/// let domain = Domain::Sudoku(Shape::Nine);
/// assert_eq!(domain.name(), "sudoku9");
/// assert_eq!((domain.vocab_size(), domain.seq_len()), (11, 81));
/// assert_eq!("sudoku9".parse(), Ok(domain));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Domain {
    /// Sudoku of the given shape.
    Sudoku(Shape),
    /// Mazes of the given size.
    Maze(maze::Size),
    /// Grids of ARC on their canvas.
    Arc,
    /// Puzzles of a user's own.
    Grid(&'static Format),
}

impl Domain {
    /// The domains that have one size each.
    pub const NAMED: &[Domain] = &[
        Domain::Sudoku(Shape::Four),
        Domain::Sudoku(Shape::Six),
        Domain::Sudoku(Shape::Nine),
        Domain::Arc,
    ];
}

impl Deref for Domain {
    type Target = dyn Rules;

    fn deref(&self) -> &Self::Target {
        match self {
            Domain::Sudoku(shape) => shape,
            Domain::Maze(size) => size,
            Domain::Arc => &Canvas,
            Domain::Grid(format) => *format,
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// A domain name that stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown domain `{found}`; the known ones are {}", known())]
pub struct UnknownDomain {
    /// The name asked for.
    pub found: String,
}

fn known() -> String {
    let names: Vec<_> = Domain::NAMED.iter().map(|domain| domain.name()).collect();
    format!("{}, mazes such as maze30x30 and grids such as grid:5x5:.#ab", names.join(", "))
}

impl FromStr for Domain {
    type Err = UnknownDomain;

    fn from_str(name: &str) -> Result<Self, UnknownDomain> {
        let named = Domain::NAMED.iter().find(|domain| domain.name() == name).copied();
        let maze = || maze::Size::from_name(name).map(Domain::Maze);
        let grid = || Format::from_name(name).map(Domain::Grid);
        let found = named.or_else(maze).or_else(grid);
        found.ok_or_else(|| UnknownDomain { found: name.to_owned() })
    }
}

/// Why a domain could not make sense of a puzzle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is not a Sudoku.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// Not a maze, or none with a path.
    #[error(transparent)]
    Maze(#[from] MazeError),
    /// Not a grid of ARC.
    #[error(transparent)]
    Arc(#[from] GridError),
    /// Not a grid of this format.
    #[error(transparent)]
    Grid(#[from] FormatError),
    /// The puzzle has not exactly one solution.
    #[error(transparent)]
    Puzzle(#[from] PuzzleError),
    /// The tokens are not a Sudoku.
    #[error(transparent)]
    Tokens(#[from] TokenError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    const QUESTION: &str = "1.....3..4.....2";

    #[test]
    fn names_round_trip_and_unknown_ones_list_the_known() {
        let maze = Domain::Maze(maze::Size { width: 12, height: 7 });
        for &domain in Domain::NAMED.iter().chain(&[maze]) {
            assert_eq!(domain.to_string().parse(), Ok(domain));
        }
        for name in ["maze", "maze0x3", "maze3x", "maze1x1", "maze03x3", "maze9999999x9"] {
            assert!(name.parse::<Domain>().is_err(), "{name}");
        }
        let error = "sudoku8".parse::<Domain>().unwrap_err();
        let expected = "unknown domain `sudoku8`; the known ones are sudoku4, sudoku6, sudoku9, arc, \
                        mazes such as maze30x30 and grids such as grid:5x5:.#ab";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn sizes_match_the_public_code() {
        let sizes: Vec<_> =
            Domain::NAMED.iter().map(|domain| (domain.vocab_size(), domain.seq_len())).collect();
        assert_eq!(sizes, [(6, 16), (8, 36), (11, 81), (12, 900)]);
        let maze: Domain = "maze30x30".parse().unwrap();
        assert_eq!((maze.vocab_size(), maze.seq_len()), (6, 900));
    }

    #[test]
    fn any_predicted_token_is_rendered_and_judged() {
        let domain = Domain::Sudoku(Shape::Four);
        let question = domain.parse(QUESTION).unwrap();
        for token in 0..=u8::MAX {
            let answer = [token; 16];
            assert!(!domain.verify(&question, &answer).is_solved());
            domain.render(&answer, &|_, symbol| symbol.to_string());
            domain.format_line(&answer);
        }
        let mut answer = domain.check_question(&question).unwrap().unwrap();
        answer[3] = 0;
        assert_eq!(domain.format_line(&answer), "132?423124133142");
        let Verdict::Constraints(verdict) = domain.verify(&question, &answer) else {
            panic!("Sudoku is made of constraints")
        };
        assert_eq!((verdict.blanks, verdict.violations), (1, 3));
    }

    #[test]
    fn givens_are_restored_and_nothing_else() {
        let domain = Domain::Sudoku(Shape::Four);
        let question = domain.parse(QUESTION).unwrap();
        let mut draft = [5; 16];
        domain.restore_givens(&question, &mut draft);
        assert_eq!(domain.format_line(&draft), "1444443444444442");
        let maze: Domain = "maze3x1".parse().unwrap();
        let mut draft = [5; 3];
        maze.restore_givens(&maze.parse("S.G").unwrap(), &mut draft);
        assert_eq!(maze.format_line(&draft), "SoG");
    }

    #[test]
    fn a_domain_has_rules_exactly_where_it_decides() {
        for name in ["sudoku4", "sudoku6", "sudoku9", "maze5x5", "arc", "grid:2x2:ab"] {
            let domain: Domain = name.parse().unwrap();
            let tokens = vec![1; domain.seq_len()];
            let decides = domain.verify(&tokens, &tokens).decision().is_some();
            assert_eq!(domain.has_rules(), decides, "{name}");
        }
    }

    #[test]
    fn augmented_pairs_are_new_puzzles_of_the_same_class() {
        let domain = Domain::Sudoku(Shape::Four);
        let question = domain.parse(QUESTION).unwrap();
        let answer = domain.check_question(&question).unwrap().unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut moved = 0;
        for _ in 0..50 {
            let (mut q, mut a) = (question.clone(), answer.clone());
            domain.augment(&mut q, &mut a, &mut rng);
            moved += usize::from(q != question);
            assert_eq!(domain.check_question(&q).unwrap().unwrap(), a);
            assert_eq!(domain.class_hash(&q), domain.class_hash(&question));
        }
        assert!(moved > 40, "only {moved} of 50 symmetries changed the puzzle");
    }

    #[test]
    fn answers_to_a_disguised_question_are_turned_back() {
        let domain = Domain::Sudoku(Shape::Six);
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let question = domain.parse("1..4...5.1..2...3...6.....2...3.6...").unwrap();
        let mut moved = 0;
        for _ in 0..20 {
            let (mut image, mut answer) = (question.clone(), Vec::new());
            let undo = domain.disguise(&mut image, &mut rng);
            moved += usize::from(image != question);
            answer.extend(&image);
            undo(&mut answer);
            assert_eq!(answer, question);
        }
        assert!(moved > 15, "only {moved} of 20 symmetries changed the puzzle");
    }

    #[test]
    fn errors_reach_the_caller_with_their_text() {
        let domain = Domain::Sudoku(Shape::Six);
        let error = domain.parse(QUESTION).unwrap_err();
        assert_eq!(error.to_string(), "found 16 cells: a 6×6 grid has 36");
        let error = domain.check_question(&[1; 16]).unwrap_err();
        assert_eq!(error.to_string(), "found 16 tokens: a 6×6 grid has 36");
        let error = domain.check_question(&[0; 36]).unwrap_err();
        let expected = "token 0 at row 1 column 1: a 6×6 grid has tokens 1 (blank) to 7 (digit 6)";
        assert_eq!(error.to_string(), expected);
    }
}
