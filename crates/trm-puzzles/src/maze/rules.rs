//! Mazes as a domain.

use super::grid::{Cell, Maze, MazeError};
use super::path::label;
use super::verify::{PathVerdict, judge};
use crate::hash::fnv;
use crate::{Dihedral, Domain, Error, Family, Layout, Look, Paint, Rules, Undo, Verdict};
use rand::{Rng, RngExt};

/// Mazes of all sizes, such as `maze30x30`.
pub const FAMILY: Family = Family {
    name: "maze",
    examples: "mazes such as maze30x30",
    find: |name| Size::from_name(name).map(Domain::new),
    public: Some("maze30x30"),
};

/// The size of mazes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Size {
    /// The longest side.
    pub const MAX: usize = 255;

    /// The size in a name such as `maze30x20`.
    pub fn from_name(name: &str) -> Option<Size> {
        let (width, height) = name.strip_prefix("maze")?.split_once('x')?;
        let size = Size { width: width.parse().ok()?, height: height.parse().ok()? };
        (size.is_possible() && size.name() == name).then_some(size)
    }

    /// Whether there are mazes of this size: room for both ends, and no side above [`Size::MAX`].
    pub fn is_possible(self) -> bool {
        let within = |side| (1..=Size::MAX).contains(&side);
        within(self.width) && within(self.height) && self.width * self.height > 1
    }

    /// The size of the first maze in a text: the whole text, else what stands before its first blank line, else its
    /// first line.
    pub fn of_text(text: &str) -> Option<Size> {
        let text = text.trim_start_matches(['\u{feff}', '\r', '\n']);
        let block = text.lines().take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
        let parts = [text.trim_end_matches(['\r', '\n']), &block, text.lines().next()?];
        let maze = parts.into_iter().find_map(|part| Maze::parse(part).ok())?;
        let size = Size { width: maze.width(), height: maze.height() };
        size.is_possible().then_some(size)
    }

    fn check(self, maze: Maze) -> Result<Maze, MazeError> {
        let Size { width, height } = self;
        match (maze.width(), maze.height()) {
            found if found == (width, height) => Ok(maze),
            (found_width, found_height) => {
                Err(MazeError::Size { found_width, found_height, width, height })
            }
        }
    }

    /// A symmetry that keeps the size.
    fn symmetry(self, rng: &mut dyn Rng) -> Dihedral {
        loop {
            let dihedral = Dihedral::ALL[rng.random_range(0..8)];
            if self.width == self.height || !dihedral.transposes() {
                return dihedral;
            }
        }
    }
}

impl Rules for Size {
    fn name(&self) -> String {
        format!("maze{}x{}", self.width, self.height)
    }

    fn kind(&self) -> String {
        FAMILY.name.into()
    }

    fn vocab_size(&self) -> usize {
        6
    }

    fn is_given(&self, token: u8) -> bool {
        token != Cell::Free as u8
    }

    fn seq_len(&self) -> usize {
        self.width * self.height
    }

    /// Blanks may be dots; rows may be lines, separated by `/`, or follow each other on one line.
    fn parse(&self, text: &str) -> Result<Vec<u8>, Error> {
        let maze = Maze::parse_rows(text, Some(self.width)).and_then(|maze| self.check(maze));
        let maze = maze.map_err(Error::new)?;
        Ok(maze.question().to_tokens())
    }

    fn sized_for(&self, text: &str) -> Option<Domain> {
        Size::of_text(text).map(Domain::new)
    }

    fn check_question(&self, question: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let answer = Maze::from_tokens(self.width, question).and_then(|maze| label(&maze));
        Ok(Some(answer.map_err(Error::new)?.to_tokens()))
    }

    /// With dots for free cells, which other programs do not cut off.
    fn symbol(&self, token: u8) -> &str {
        symbol(token, ".", "#", "o")
    }

    fn look(&self, token: u8) -> Look<'_> {
        match self.symbol(token) {
            "." => Look::Empty,
            "#" => Look::Ink,
            "o" => Look::Accent,
            symbol => Look::Symbol(symbol),
        }
    }

    /// Other programs know the size of square mazes only.
    fn format_line(&self, tokens: &[u8]) -> String {
        let row = |row: &[u8]| row.iter().map(|token| self.symbol(*token)).collect::<String>();
        let rows: Vec<String> = tokens.chunks(self.width).map(row).collect();
        rows.join(if self.width == self.height { "" } else { "/" })
    }

    fn render(&self, tokens: &[u8], paint: Paint<'_>) -> String {
        let cell = |(i, token): (usize, &u8)| {
            let end = if (i + 1) % self.width == 0 { "\n" } else { "" };
            paint(i, symbol(*token, " ", "█", "•")) + end
        };
        let rows: String = tokens.iter().enumerate().map(cell).collect();
        rows.trim_end_matches('\n').to_owned()
    }

    fn has_rules(&self) -> bool {
        true
    }

    fn verify(&self, question: &[u8], answer: &[u8]) -> Verdict {
        let question = Maze::from_tokens(self.width, question);
        question.map_or(PathVerdict::Broken, |question| judge(&question, answer)).into()
    }

    fn layout(&self) -> Layout {
        Layout { columns: self.width, boxes: (0, 0) }
    }

    fn in_words(&self) -> Option<String> {
        let words = "Find the shortest path through this maze from S to G, up, down, left or right from \
                     one cell to the next. # is a wall, a dot is free. Mark every free cell on the path \
                     with the letter o and leave all other cells as they are. Where several paths are \
                     shortest, take the one that a breadth-first search from S finds that looks down, \
                     left, right and up, in this order.";
        Some(words.into())
    }

    /// The labelling rule ([`label`]) is not symmetric: an answer that follows it is labelled anew, so that
    /// it still does; another answer is turned with its question.
    fn augment(&self, question: &mut [u8], answer: &mut [u8], rng: &mut dyn Rng) {
        let follows_the_rule =
            self.check_question(question).is_ok_and(|label| label.as_deref() == Some(&*answer));
        let dihedral = self.symmetry(rng);
        for tokens in [&mut *question, &mut *answer] {
            let (image, _) = dihedral.apply(tokens, self.width);
            tokens.copy_from_slice(&image);
        }
        if follows_the_rule && let Ok(Some(label)) = self.check_question(question) {
            answer.copy_from_slice(&label);
        }
    }

    fn augment_question(&self, question: &mut [u8], rng: &mut dyn Rng) -> Undo {
        let (dihedral, width) = (self.symmetry(rng), self.width);
        let (image, turned) = dihedral.apply(question, width);
        question.copy_from_slice(&image);
        Box::new(move |answer| {
            let (back, _) = dihedral.inverse().apply(answer, turned);
            answer.copy_from_slice(&back);
        })
    }

    fn class_hash(&self, question: &[u8]) -> Result<u128, Error> {
        Ok(class_hash(&Maze::from_tokens(self.width, question).map_err(Error::new)?))
    }
}

/// A hash that the eight images of a maze share, and no other maze but by chance.
pub fn class_hash(maze: &Maze) -> u128 {
    let tokens = maze.question().to_tokens();
    let hash = |dihedral: Dihedral| {
        let (image, width) = dihedral.apply(&tokens, maze.width());
        fnv([width as u8].iter().chain(&image))
    };
    Dihedral::ALL.map(hash).into_iter().min().expect("eight")
}

fn symbol(token: u8, free: &'static str, wall: &'static str, path: &'static str) -> &'static str {
    match token {
        1 => wall,
        2 => free,
        3 => "S",
        4 => "G",
        5 => path,
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maze::{Law, generate, shortest};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    const SQUARE: Size = Size { width: 7, height: 7 };
    const WIDE: Size = Size { width: 8, height: 5 };

    fn mazes(size: Size) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        let cells = size.width * size.height;
        let law =
            Law { width: size.width, height: size.height, walls: cells / 5..=cells / 3, path: 6 };
        (0..40).map(move |seed| {
            let maze = generate(&law, 10_000, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap();
            (maze.to_tokens(), label(&maze).unwrap().to_tokens())
        })
    }

    #[test]
    fn augmented_answers_follow_the_labelling_rule_where_they_did() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut moved, mut anew) = (0, 0);
        for size in [SQUARE, WIDE] {
            let domain = Domain::new(size);
            for (question, answer) in mazes(size) {
                let (mut q, mut a) = (question.clone(), answer.clone());
                domain.augment(&mut q, &mut a, &mut rng);
                moved += usize::from(q != question);
                assert_eq!(domain.verify(&q, &a), Ok(PathVerdict::Exact.into()));
                assert_eq!(domain.class_hash(&q), domain.class_hash(&question));

                let mut other = answer.clone();
                other[answer.iter().position(|t| *t == 5).unwrap()] = 2; // no longer the rule's
                let (mut q, mut turned) = (question.clone(), other.clone());
                domain.augment(&mut q, &mut turned, &mut rng);
                let marks = |tokens: &[u8]| tokens.iter().filter(|t| **t == 5).count();
                assert_eq!(marks(&turned), marks(&other), "turned, not labelled anew");
                let Ok(Some(label)) = domain.check_question(&q) else { panic!("a path") };
                anew += usize::from(label != turned);
            }
        }
        assert!(moved > 50 && anew == 80, "{moved} {anew}");
    }

    #[test]
    fn augmented_questions_keep_their_size_and_answers_come_back() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for size in [SQUARE, WIDE] {
            for (question, _) in mazes(size) {
                let mut image = question.clone();
                let undo = size.augment_question(&mut image, &mut rng);
                assert!(Maze::from_tokens(size.width, &image).is_ok());
                assert_eq!(
                    shortest(&Maze::from_tokens(size.width, &image).unwrap()),
                    shortest(&Maze::from_tokens(size.width, &question).unwrap())
                );
                undo(&mut image);
                assert_eq!(image, question);
            }
        }
    }

    #[test]
    fn lines_and_drawings_are_read_and_other_sizes_refused() {
        let domain = Domain::new(Size { width: 4, height: 2 });
        let question = domain.parse("S.#.\n...G").unwrap();
        assert_eq!(domain.parse("S.#....G"), Ok(question.clone()));
        assert_eq!(domain.format_line(&question), "S.#./...G");
        assert_eq!(domain.parse("S.#./...G"), Ok(question.clone()));
        let answer = domain.check_question(&question).unwrap().unwrap();
        let plain = |_: usize, symbol: &str| symbol.to_string();
        assert_eq!(domain.render(&answer, &plain), "S █ \n•••G");
        let message = |text: &str| domain.parse(text).unwrap_err().to_string();
        assert_eq!(message("S.\n.G"), "2×2 cells, not 4×2");
        assert_eq!(message("S.#.....\n.......G"), "8×2 cells, not 4×2");
        let closed = domain.parse("S#.G\n##..").unwrap();
        assert_eq!(domain.check_question(&closed).unwrap_err().to_string(), "no path from S to G");
    }

    #[test]
    fn any_predicted_token_is_rendered_and_judged() {
        let domain = Domain::new(Size { width: 2, height: 2 });
        let question = domain.parse("S..G").unwrap();
        for token in 0..=u8::MAX {
            let answer = [token; 4];
            assert!(!domain.verify(&question, &answer).unwrap().is_solved());
            domain.render(&answer, &|_, symbol| symbol.to_string());
        }
        let answer = domain.check_question(&question).unwrap().unwrap();
        assert!(domain.verify(&question, &answer).unwrap().is_solved());
    }
}
