//! A user's puzzle as a domain.

use super::files::rows_of;
use super::format::{Format, FormatError, OUTSIDE};
use crate::hash::fnv;
use crate::{Dihedral, Domain, Error, Family, Layout, Rules, Undo};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

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

    fn vocab_size(&self) -> usize {
        1 + self.symbols().len()
    }

    fn seq_len(&self) -> usize {
        self.width() * self.height()
    }

    /// Rows are lines, or are separated by `/`; where no grid is smaller than the others, they may also follow
    /// each other on one line.
    fn parse(&self, text: &str) -> Result<Vec<u8>, Error> {
        let mut rows = rows_of(text);
        if let [row] = &rows[..]
            && row.len() == self.seq_len()
        {
            rows = row.chunks(self.width()).map(<[char]>::to_vec).collect();
        }
        self.tokens(&rows).map_err(Error::new)
    }

    fn check_question(&self, question: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let refuse = |what: String| Err(Error::new(FormatError::Tokens(what)));
        if question.len() != self.seq_len() {
            return refuse(format!("{} tokens", question.len()));
        }
        match question.iter().find(|token| !(1..self.vocab_size()).contains(&(**token).into())) {
            Some(token) => refuse(format!("tokens such as {token}")),
            None => Ok(None),
        }
    }

    fn symbol(&self, token: u8) -> char {
        let place = usize::from(token).checked_sub(1);
        place.and_then(|place| self.symbols().get(place)).copied().unwrap_or('?')
    }

    fn format_line(&self, tokens: &[u8]) -> String {
        let row = |row: &[u8]| {
            let symbols: String = row.iter().map(|token| self.symbol(*token)).collect();
            symbols.trim_end_matches(OUTSIDE).to_owned()
        };
        let rows: Vec<String> = tokens.chunks(self.width()).map(row).collect();
        let last = rows.iter().rposition(|row| !row.is_empty()).unwrap_or(0);
        rows[..=last].join("/")
    }

    fn layout(&self) -> Layout {
        Layout { columns: self.width(), boxes: (0, 0) }
    }

    fn augment(&self, question: &mut [u8], answer: &mut [u8], rng: &mut dyn Rng) {
        let symmetry = Symmetry::random(self, rng);
        symmetry.apply(question);
        symmetry.apply(answer);
    }

    fn augment_question(&self, question: &mut [u8], rng: &mut dyn Rng) -> Undo {
        let symmetry = Symmetry::random(self, rng);
        symmetry.apply(question);
        Box::new(move |answer| symmetry.undo(answer))
    }

    fn class_hash(&self, question: &[u8]) -> Result<u128, Error> {
        self.check_question(question)?;
        let images = dihedrals(self).map(|dihedral| {
            let (image, _) = dihedral.apply(question, self.width());
            fnv(&in_order_of_appearance(&image, &self.permuted()))
        });
        Ok(images.min().expect("at least the grid itself"))
    }
}

/// The ways to turn and mirror grids of a format that keep its size.
fn dihedrals(format: &Format) -> impl Iterator<Item = Dihedral> {
    let (dihedral, square) = (format.dihedral(), format.width() == format.height());
    let keeps = move |d: &&Dihedral| d.number() == 0 || dihedral && (square || !d.transposes());
    Dihedral::ALL.iter().filter(keeps).copied()
}

/// The permuted tokens renamed so that they first appear in their order: the same for all images.
fn in_order_of_appearance(tokens: &[u8], permuted: &[u8]) -> Vec<u8> {
    let mut names = [None; 256];
    let mut next = permuted.iter();
    let rename = |token: &u8| match permuted.contains(token) {
        false => *token,
        true => *names[usize::from(*token)]
            .get_or_insert_with(|| *next.next().expect("no more tokens appear than there are")),
    };
    tokens.iter().map(rename).collect()
}

/// A symmetry of the puzzles of a format.
struct Symmetry {
    dihedral: Dihedral,
    width: usize,
    renamed: [u8; 256],
}

impl Symmetry {
    fn random(format: &Format, rng: &mut dyn Rng) -> Symmetry {
        let all: Vec<Dihedral> = dihedrals(format).collect();
        let dihedral = all[rng.random_range(0..all.len())];
        let mut renamed = std::array::from_fn(|token| token as u8);
        let permuted = format.permuted();
        let mut images = permuted.clone();
        images.shuffle(rng);
        permuted.iter().zip(images).for_each(|(token, image)| renamed[usize::from(*token)] = image);
        Symmetry { dihedral, width: format.width(), renamed }
    }

    fn apply(&self, tokens: &mut [u8]) {
        let (image, _) = self.dihedral.apply(tokens, self.width);
        tokens.iter_mut().zip(image).for_each(|(to, token)| *to = self.renamed[usize::from(token)]);
    }

    fn undo(&self, tokens: &mut [u8]) {
        let mut before = [0; 256];
        (0..=255_u8)
            .for_each(|token| before[usize::from(self.renamed[usize::from(token)])] = token);
        let (image, _) = self.dihedral.inverse().apply(tokens, self.width);
        tokens.iter_mut().zip(image).for_each(|(to, token)| *to = before[usize::from(token)]);
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
    fn nothing_is_known_about_answers() {
        let domain = domain("grid:2x1:ab");
        for token in 0..=u8::MAX {
            assert_eq!(domain.verify(&[1, 1], &[token; 2]), Ok(Verdict::Unchecked));
            assert_eq!(domain.verify(&[1, 1], &[token; 2]), Ok(Verdict::Unchecked));
            domain.format_line(&[token; 2]);
        }
    }
}
