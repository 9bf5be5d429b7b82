//! A user's puzzle as a domain.

use super::augmentation::{Augmentation, Symmetry, end_of};
use super::class::class_hash;
use super::format::{Format, FormatError, Size};
use super::read::rows_of_json;
use super::row::{Row, Rows, rows_apart, rows_of};
use super::symbols::{OPEN_BOX, OUTSIDE};
use crate::{Domain, Error, Family, Layout, Rules, Undo};
use rand::Rng;

/// Grids of all formats, such as `grid:5x5:.#ab`.
pub const FAMILY: Family = Family {
    name: "grid",
    examples: "grids such as grid:5x5:.#ab",
    find: |name| Format::from_name(name).map(Domain::new),
    public: None,
};

impl Rules for Format {
    fn name(&self) -> String {
        self.text()
    }

    /// Sizes make no kind where question and answer have the same.
    fn kind(&self) -> String {
        match self.question() == self.answer() {
            true => format!("grid{}", self.without_size()),
            false => self.text(),
        }
    }

    fn vocab_size(&self) -> usize {
        1 + self.symbols().len()
    }

    fn seq_len(&self) -> usize {
        self.canvas().0 * self.canvas().1
    }

    /// Rows are lines, or are separated by `/`; where no grid is smaller than the others, they may also follow
    /// each other on one line. Blanks stand between symbols if some have several characters. A list of JSON is read
    /// as in a file.
    fn parse(&self, text: &str) -> Result<Vec<u8>, Error> {
        let rows = if self.has_long_symbols() { rows_apart(text) } else { rows_of(text) };
        self.read(rows).or_else(|error| {
            let value = serde_json::from_str(text).ok().filter(serde_json::Value::is_array);
            let rows = value.and_then(|value| rows_of_json(&value));
            rows.map_or(Err(error), |rows| self.read(rows)).map_err(Error::new)
        })
    }

    fn sized_for(&self, text: &str) -> Option<Domain> {
        if self.question() != self.answer() {
            return None;
        }
        let first = text.lines().find(|line| !line.trim().is_empty()).filter(|l| l.contains('/'));
        let text = first.unwrap_or(text);
        let rows = if self.has_long_symbols() { rows_apart(text) } else { rows_of(text) };
        let sized = self.of_size((rows.first()?.len(), rows.len()))?;
        sized.read(rows).is_ok().then(|| Domain::new(sized))
    }

    fn check_question(&self, question: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let refuse = |what: String| Err(Error::new(FormatError::Tokens(what)));
        if question.len() != self.seq_len() {
            return refuse(format!("{} tokens", question.len()));
        }
        let is_wrong = |(i, token): &(usize, &u8)| match self.is_within(self.question(), *i) {
            true => !(1..self.vocab_size()).contains(&(**token).into()),
            false => **token != 0,
        };
        match question.iter().enumerate().find(is_wrong) {
            Some((_, token)) => refuse(format!("tokens such as {token}")),
            None => Ok(None),
        }
    }

    /// Nothing is known of an answer but its size.
    fn restore_givens(&self, _question: &[u8], draft: &mut [u8]) {
        self.clip(draft);
    }

    fn clip(&self, draft: &mut [u8]) {
        for (i, token) in draft.iter_mut().enumerate() {
            if !self.is_within(self.answer(), i) {
                *token = 0;
            }
        }
    }

    fn symbol(&self, token: u8) -> &str {
        let place = usize::from(token).checked_sub(1);
        place.and_then(|place| self.symbols().get(place)).map_or("?", String::as_str)
    }

    fn format_line(&self, tokens: &[u8]) -> String {
        let (width, height) = self.extent(tokens);
        let row = |row: &[u8]| {
            let is_inside = |token: &u8| self.symbol(*token) != OUTSIDE;
            let end = row[..width].iter().rposition(is_inside).map_or(0, |last| last + 1);
            let written = |token: &u8| match self.symbol(*token) {
                OUTSIDE if self.has_long_symbols() => OPEN_BOX,
                symbol => symbol,
            };
            row[..end].iter().map(written).collect::<Vec<_>>().join(self.gap())
        };
        let rows: Vec<String> = tokens.chunks(self.canvas().0).take(height).map(row).collect();
        let last = rows.iter().rposition(|row| !row.is_empty()).unwrap_or(0);
        rows[..=last].join("/")
    }

    fn layout(&self) -> Layout {
        Layout { columns: self.canvas().0, boxes: (0, 0) }
    }

    /// The smaller of the two sizes, of questions and of answers, that all tokens but 0 lie in.
    fn extent(&self, tokens: &[u8]) -> Size {
        let mut sizes = [self.question(), self.answer()];
        sizes.sort_by_key(|(width, height)| width * height);
        let holds = |size: &Size| {
            let mut beside = tokens.iter().enumerate().filter(|(i, _)| !self.is_within(*size, *i));
            beside.all(|(_, token)| *token == 0)
        };
        sizes.into_iter().find(holds).unwrap_or(self.canvas())
    }

    fn augment(&self, question: &mut [u8], answer: &mut [u8], rng: &mut dyn Rng) {
        let symmetry = Symmetry::random(self, question, rng);
        symmetry.apply(question, self.question());
        symmetry.apply(answer, self.answer());
    }

    fn augment_question(&self, question: &mut [u8], rng: &mut dyn Rng) -> Undo {
        let symmetry = Symmetry::random(self, question, rng);
        symmetry.apply(question, self.question());
        let size = self.answer();
        Box::new(move |answer| symmetry.undo(answer, size))
    }

    fn has_unordered_lines(&self) -> bool {
        let lines = [Augmentation::Rows, Augmentation::Columns];
        self.question() == self.answer() && lines.iter().all(|lines| self.has(*lines))
    }

    fn is_plane(&self) -> bool {
        let (width, height) = self.question();
        self.question() == self.answer() && width.min(height) > 1
    }

    /// Where rows and columns change places, or one of them and symbols, questions may share it that are no
    /// augmentations of each other; those that are always do.
    fn class_hash(&self, question: &[u8]) -> Result<u128, Error> {
        self.check_question(question)?;
        Ok(class_hash(self, question))
    }
}

impl Format {
    fn read(&self, mut rows: Rows) -> Result<Vec<u8>, FormatError> {
        let (width, height) = self.question();
        if let [row] = &rows[..]
            && row.len() == width * height
        {
            let cells: Vec<&str> = row.cells().collect();
            rows = cells.chunks(width).map(|cells| Row::of(cells.iter().copied())).collect();
        }
        self.question_tokens(&rows)
    }

    /// Columns and rows of a grid without the spaces that fill it up to a size.
    pub fn used(&self, (width, height): Size, tokens: &[u8]) -> Size {
        let rows = || tokens.chunks(self.canvas().0).take(height).map(|row| &row[..width]);
        let ends = rows().map(|row| end_of(row, self.outside()));
        let last = ends.clone().collect::<Vec<_>>().iter().rposition(|end| *end > 0);
        (ends.max().unwrap_or(0), last.map_or(0, |last| last + 1))
    }

    /// Whether a cell of the canvas belongs to a grid of this size.
    fn is_within(&self, (width, height): Size, cell: usize) -> bool {
        let columns = self.canvas().0;
        cell % columns < width && cell / columns < height
    }
}

#[cfg(test)]
mod tests {
    use crate::{Domain, Verdict};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use std::collections::HashSet;

    fn domain(name: &str) -> Domain {
        name.parse().unwrap()
    }

    #[test]
    fn lines_drawings_and_smaller_grids_are_read_and_written() {
        let fixed = domain("grid:3x2:.ab");
        let tokens = fixed.parse("a..\n.b.\n").unwrap();
        assert_eq!(tokens, [2, 1, 1, 1, 3, 1]);
        assert_eq!(fixed.parse("a../.b."), Ok(tokens.clone()));
        assert_eq!(fixed.parse("a...b."), Ok(tokens.clone()));
        assert_eq!(fixed.format_line(&tokens), "a../.b.");
        assert_eq!(fixed.render(&[2, 0, 9, 1, 3, 1], &|_, c| c.to_string()), "a??\n.b.");

        let varied = domain("grid:3x3:.ab ");
        let tokens = varied.parse("a./.b").unwrap();
        assert_eq!(tokens, [2, 1, 4, 1, 3, 4, 4, 4, 4]);
        assert_eq!(varied.format_line(&tokens), "a./.b");
        assert_eq!(varied.parse("/a").map(|t| varied.format_line(&t)), Ok("/a".into()));
        assert_eq!(fixed.check_question(&[1; 6]), Ok(None));
        for wrong in [&[0; 6][..], &[4; 6], &[1; 5]] {
            assert!(fixed.check_question(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn grids_of_other_sizes_are_of_one_kind_and_found_by_their_text() {
        let small = domain("grid:3x2:symbols=.,a,bc:rows");
        let large = domain("grid:4x3:symbols=.,a,bc:rows");
        assert_eq!(
            (small.kind(), large.kind() == small.kind()),
            ("grid:symbols=.,a,bc:rows".into(), true)
        );
        assert_ne!(domain("grid:3x2:.ab:rows").kind(), small.kind());
        assert_eq!(
            small.sized_for("\n. a . bc/. . . ./a a a a\n. . . ./a a a a/. . . ."),
            Some(large)
        );
        assert_eq!(small.sized_for(". a x/. . ."), None);
        assert_eq!(
            domain("grid:3x2to1x1:ab").sized_for("ab/ab"),
            None,
            "an answer has its own size"
        );
    }

    #[test]
    fn images_share_their_class_and_answers_come_back() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for (name, images) in [
            ("grid:3x2:.#ab", 1),
            ("grid:3x2:.#ab:permute=ab", 2),
            ("grid:3x2:.#ab:dihedral", 4),
            ("grid:2x3:.#ab:dihedral:permute=.#ab", 4 * 24),
            ("grid:3x3:.#ab:dihedral", 8),
        ] {
            let domain = domain(name);
            let text = if domain.seq_len() == 9 { ".#ab#a..." } else { ".#ab#a" };
            let question = domain.parse(text).unwrap();
            let mut seen = HashSet::new();
            for _ in 0..1000 {
                let (mut q, mut a) = (question.clone(), question.clone());
                domain.augment(&mut q, &mut a, &mut rng);
                assert_eq!(q, a, "question and answer go together");
                assert_eq!(domain.class_hash(&q), domain.class_hash(&question));
                seen.insert(q);
                let undo = domain.augment_question(&mut a, &mut rng);
                let before = a.clone();
                undo(&mut a);
                assert!(seen.contains(&a) && domain.class_hash(&before) == domain.class_hash(&a));
            }
            assert_eq!(seen.len(), images, "{name}");
            let mut other = question.clone();
            other[0] = 2;
            assert_ne!(domain.class_hash(&other), domain.class_hash(&question));
        }
    }

    #[test]
    fn symbols_of_several_characters_stand_apart_and_are_drawn_alike_wide() {
        let fixed = domain("grid:2x2:symbols=0,3%3A7,12");
        let tokens = fixed.parse("3:7 12\n0   0\n").unwrap();
        assert_eq!(tokens, [2, 3, 1, 1]);
        for text in ["3:7 12/0 0", "3:7 12 0 0", "[[\"3:7\", 12], [0, 0]]"] {
            assert_eq!(fixed.parse(text), Ok(tokens.clone()), "{text}");
        }
        assert_eq!(fixed.format_line(&tokens), "3:7 12/0 0");
        assert_eq!(fixed.render(&tokens, &|_, s| format!("[{s}]")), "[3:7] [ 12]\n[  0] [  0]");
        assert_eq!(
            fixed.parse("3:7 12/0 1").unwrap_err().to_string(),
            "`1` at row 2 column 2: the symbols are `0,3%3A7,12`"
        );
        assert_eq!(
            fixed.parse("[[0, 12], [0, 3]]").unwrap_err().to_string(),
            "`3` at row 2 column 2: the symbols are `0,3%3A7,12`"
        );

        let varied = domain("grid:3x2:symbols=0,12,%20");
        for (text, tokens) in [("12", [2, 3, 3, 3, 3, 3]), ("␣ 0/␣ ␣ 12", [3, 1, 3, 3, 3, 2])]
        {
            assert_eq!(varied.parse(text).as_deref(), Ok(&tokens[..]));
            assert_eq!(varied.format_line(&tokens), text);
        }
    }

    #[test]
    fn what_lies_beside_an_answer_is_neither_drawn_nor_written() {
        for (name, question, answer) in [
            ("grid:3x3to2x1:.ab", "a.b/..a/bb.", [1, 3, 0, 0, 0, 0, 0, 0, 0]),
            ("grid:3x1to1x3:.ab", "a.b", [1, 0, 0, 3, 0, 0, 2, 0, 0]),
            ("grid:1x2to3x3:.ab", "a/b", [1, 3, 2, 3, 1, 1, 2, 2, 3]),
        ] {
            let domain = domain(name);
            let tokens = domain.parse(question).unwrap();
            assert_eq!(domain.check_question(&tokens), Ok(None));
            assert!(domain.check_question(&[0; 9]).is_err());
            assert_eq!(domain.check_question(&[1; 9]).is_ok(), question.len() == 11, "{name}");
            assert_eq!(domain.format_line(&tokens), question);
            let mut draft: Vec<u8> =
                answer.iter().map(|token| if *token == 0 { 2 } else { *token }).collect();
            domain.restore_givens(&tokens, &mut draft);
            assert_eq!(draft, answer, "{name}");
            let rows = domain.render(&draft, &|_, s| s.to_owned());
            assert_eq!(rows.replace('\n', "/"), domain.format_line(&draft));
            assert_eq!(
                rows.chars().filter(|c| *c != '\n').count(),
                answer.iter().filter(|t| **t != 0).count()
            );
        }
    }

    #[test]
    fn nothing_is_known_about_answers() {
        let domain = domain("grid:2x1:ab");
        for token in 0..=u8::MAX {
            assert_eq!(domain.verify(&[1, 1], &[token; 2]), Ok(Verdict::Unchecked));
            assert_eq!(domain.verify(&[1, 1], &[token; 2]), Ok(Verdict::Unchecked));
            domain.format_line(&[token; 2]);
        }
    }
}
