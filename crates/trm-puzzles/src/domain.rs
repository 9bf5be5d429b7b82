//! Domains by name.

use crate::referee::Remembering;
use crate::{Asked, Judge, RefereeError, Rules, Verdict, arc, grid, maze, sudoku};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

/// A kind of puzzle: a shared handle to its [`Rules`], to which it dereferences, and to who judges answers if that
/// is not they. Cheap to clone; two are equal if they have the same name.
///
/// ```
/// use trm_puzzles::Domain;
/// use trm_puzzles::sudoku::Shape;
///
/// let domain = Domain::new(Shape::Nine);
/// assert_eq!(domain.name(), "sudoku9");
/// assert_eq!((domain.vocab_size(), domain.seq_len()), (11, 81));
/// assert_eq!("sudoku9".parse(), Ok(domain));
/// ```
#[derive(Clone)]
pub struct Domain {
    rules: Arc<dyn Rules>,
    /// Judges in place of the rules.
    judge: Option<Arc<Remembering>>,
}

impl Domain {
    /// The domain of these rules. Files name a domain only: whoever reads them finds it if it is of a [`Family`]
    /// that is known.
    pub fn new(rules: impl Rules) -> Domain {
        Domain { rules: Arc::new(rules), judge: None }
    }

    /// The same puzzle, but a judge from outside says what makes an answer right. It is not asked the same twice.
    pub fn judged_by(&self, judge: impl Judge) -> Domain {
        let judge = Some(Arc::new(Remembering::new(judge)));
        Domain { rules: self.rules.clone(), judge }
    }

    /// Whether [`verify`](Domain::verify) decides: there are rules, or a judge.
    pub fn has_rules(&self) -> bool {
        self.judge.is_some() || self.rules.has_rules()
    }

    /// Judges an answer: by the judge, if there is one, or else by the rules of the puzzle ([`Rules::verify`]).
    ///
    /// # Errors
    /// If the judge gives no ruling; rules always do.
    pub fn verify(&self, question: &[u8], answer: &[u8]) -> Result<Verdict, RefereeError> {
        self.verify_all(&[(question, answer)]).map(|mut one| one.remove(0))
    }

    /// Judges many answers, in their order.
    ///
    /// # Errors
    /// As [`verify`](Domain::verify).
    pub fn verify_all(&self, asked: &[Asked<'_>]) -> Result<Vec<Verdict>, RefereeError> {
        match &self.judge {
            Some(judge) => judge.judge_all(asked),
            None => Ok(asked.iter().map(|(q, a)| self.rules.verify(q, a)).collect()),
        }
    }

    /// The domain of the public code's data with these sizes, which do not name it.
    pub fn of_public_data(vocab_size: usize, seq_len: usize) -> Option<Domain> {
        let mut public = families().into_iter().filter_map(|family| family.public?.parse().ok());
        public.find(|d: &Domain| (d.vocab_size(), d.seq_len()) == (vocab_size, seq_len))
    }
}

impl Deref for Domain {
    type Target = dyn Rules;

    fn deref(&self) -> &Self::Target {
        &*self.rules
    }
}

impl PartialEq for Domain {
    fn eq(&self, other: &Domain) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Domain {}

impl Hash for Domain {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Domain({})", self.name())
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// Domains that are found by their names: a puzzle in all its sizes.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its own name, which no other family has.
    pub name: &'static str,
    /// What an error message says of it: `sudoku4, sudoku6`, or `mazes such as maze30x30`.
    pub examples: &'static str,
    /// The domain with this name, if it is one of the family.
    pub find: fn(&str) -> Option<Domain>,
    /// The name of its domain that the public TRM code has data of, if it has.
    pub public: Option<&'static str>,
}

/// All families of this crate. A new one is a line here, and a folder.
const FAMILIES: &[Family] = &[
    sudoku::FAMILY, //
    arc::FAMILY,
    maze::FAMILY,
    grid::FAMILY,
];

/// Families of other crates.
static REGISTERED: RwLock<Vec<Family>> = RwLock::new(Vec::new());

/// Makes a family of another crate known to this process, so that files can name its domains: to be called when
/// the program starts. Families that are known already are asked first, and none can be replaced, so that a name
/// means the same as long as the program runs.
///
/// # Errors
/// If a family has this name already.
///
/// ```
/// use trm_puzzles::{Domain, Error, Family, Layout, Rules, register};
///
/// /// Rows of bits. The answer is what a model makes of them.
/// struct Bits(usize);
///
/// impl Rules for Bits {
///     fn name(&self) -> String {
///         format!("bits{}", self.0)
///     }
///     fn vocab_size(&self) -> usize {
///         3
///     }
///     fn seq_len(&self) -> usize {
///         self.0
///     }
///     fn layout(&self) -> Layout {
///         Layout { columns: self.0, boxes: (0, 0) }
///     }
///     fn parse(&self, text: &str) -> Result<Vec<u8>, Error> {
///         let bit = |c: char| Some(1 + c.to_digit(2)? as u8);
///         let bits: Option<Vec<u8>> = text.trim().chars().map(bit).collect();
///         bits.filter(|bits| bits.len() == self.0).ok_or_else(|| Error::new("no such row of bits"))
///     }
///     fn symbol(&self, token: u8) -> &str {
///         ["?", "0", "1"].get(usize::from(token)).copied().unwrap_or("?")
///     }
/// }
///
/// let find = |name: &str| Some(Domain::new(Bits(name.strip_prefix("bits")?.parse().ok()?)));
/// register(Family { name: "bits", examples: "bits8", find, public: None })?;
/// let domain: Domain = "bits4".parse()?;
/// assert_eq!(domain.parse("0110")?, [1, 2, 2, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn register(family: Family) -> Result<(), Taken> {
    let mut registered = REGISTERED.write().unwrap_or_else(PoisonError::into_inner);
    if FAMILIES.iter().chain(&*registered).any(|known| known.name == family.name) {
        return Err(Taken { name: family.name });
    }
    registered.push(family);
    Ok(())
}

/// All families, in the order in which they are asked.
fn families() -> Vec<Family> {
    let registered = REGISTERED.read().unwrap_or_else(PoisonError::into_inner);
    FAMILIES.iter().chain(&*registered).copied().collect()
}

/// The name of a family that there is already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a family of domains is called `{name}` already")]
pub struct Taken {
    /// The name.
    pub name: &'static str,
}

/// A domain name that stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown domain `{found}`; the known ones are {}", known())]
pub struct UnknownDomain {
    /// The name asked for.
    pub found: String,
}

fn known() -> String {
    let examples: Vec<_> = families().iter().map(|family| family.examples).collect();
    let (last, others) = examples.split_last().expect("there are families");
    format!("{} and {last}", others.join(", "))
}

impl FromStr for Domain {
    type Err = UnknownDomain;

    fn from_str(name: &str) -> Result<Self, UnknownDomain> {
        let mut found = families().into_iter().filter_map(|family| (family.find)(name));
        found
            .find(|domain| domain.name() == name)
            .ok_or_else(|| UnknownDomain { found: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sudoku::Shape;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    const QUESTION: &str = "1.....3..4.....2";

    #[test]
    fn names_round_trip_and_unknown_ones_list_the_known() {
        for name in ["sudoku4", "sudoku6", "sudoku9", "arc", "maze12x7", "grid:3x2:ab:dihedral"] {
            assert_eq!(name.parse::<Domain>().unwrap().name(), name);
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
        for (name, sizes) in [
            ("sudoku4", (6, 16)),
            ("sudoku6", (8, 36)),
            ("sudoku9", (11, 81)),
            ("arc", (12, 900)),
            ("maze30x30", (6, 900)),
        ] {
            let domain: Domain = name.parse().unwrap();
            assert_eq!((domain.vocab_size(), domain.seq_len()), sizes);
            let public = ["sudoku9", "arc", "maze30x30"].contains(&name).then_some(domain);
            assert_eq!(Domain::of_public_data(sizes.0, sizes.1), public);
        }
    }

    #[test]
    fn any_predicted_token_is_rendered_and_judged() {
        let domain = Domain::new(Shape::Four);
        let question = domain.parse(QUESTION).unwrap();
        for token in 0..=u8::MAX {
            let answer = [token; 16];
            assert!(!domain.verify(&question, &answer).unwrap().is_solved());
            domain.render(&answer, &|_, symbol| symbol.to_string());
            domain.format_line(&answer);
        }
        let mut answer = domain.check_question(&question).unwrap().unwrap();
        answer[3] = 0;
        assert_eq!(domain.format_line(&answer), "132?423124133142");
        let Verdict::Constraints(verdict) = domain.verify(&question, &answer).unwrap() else {
            panic!("Sudoku is made of constraints")
        };
        assert_eq!((verdict.blanks, verdict.violations), (1, 3));
    }

    #[test]
    fn givens_are_restored_and_nothing_else() {
        let domain = Domain::new(Shape::Four);
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
    fn a_domain_has_what_it_says_it_has() {
        for name in ["sudoku4", "sudoku6", "sudoku9", "maze5x5", "arc", "grid:2x2:ab"] {
            let domain: Domain = name.parse().unwrap();
            let tokens = vec![1; domain.seq_len()];
            let decides = domain.verify(&tokens, &tokens).unwrap().decision().is_some();
            assert_eq!(domain.has_rules(), decides, "{name}");
            assert_eq!(domain.solver_order(&tokens, &tokens), None, "{name}: no answer");
            let orders = domain.solver_order(&tokens, &vec![2; tokens.len()]).is_some();
            assert_eq!(domain.has_solver_order(), orders, "{name}");
            assert!(!domain.has_units() || domain.layout().boxes != (0, 0), "{name}");
        }
    }

    #[test]
    fn sizes_are_of_one_kind_where_the_rules_do_not_depend_on_them() {
        let parse = |name: &str| name.parse::<Domain>().unwrap();
        assert_eq!(parse("maze3x3").kind(), parse("maze4x5").kind());
        assert_ne!(parse("sudoku4").kind(), parse("sudoku9").kind());
        assert_eq!(parse("maze3x3").sized_for("S.G.\n...."), Some(parse("maze4x2")));
        assert_eq!(parse("sudoku9").sized_for(QUESTION), Some(parse("sudoku4")));
        assert_eq!(parse("arc").sized_for("12/34"), None);
    }

    #[test]
    fn augmented_pairs_are_new_puzzles_of_the_same_class() {
        let domain = Domain::new(Shape::Four);
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
    fn answers_to_an_augmented_question_are_turned_back() {
        let domain = Domain::new(Shape::Six);
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let question = domain.parse("1..4...5.1..2...3...6.....2...3.6...").unwrap();
        let mut moved = 0;
        for _ in 0..20 {
            let (mut image, mut answer) = (question.clone(), Vec::new());
            let undo = domain.augment_question(&mut image, &mut rng);
            moved += usize::from(image != question);
            answer.extend(&image);
            undo(&mut answer);
            assert_eq!(answer, question);
        }
        assert!(moved > 15, "only {moved} of 20 symmetries changed the puzzle");
    }

    #[test]
    fn errors_reach_the_caller_with_their_text() {
        let domain = Domain::new(Shape::Six);
        let error = domain.parse(QUESTION).unwrap_err();
        assert_eq!(error.to_string(), "found 16 cells: a 6×6 grid has 36");
        let error = domain.check_question(&[1; 16]).unwrap_err();
        assert_eq!(error.to_string(), "found 16 tokens: a 6×6 grid has 36");
        let error = domain.check_question(&[0; 36]).unwrap_err();
        let expected = "token 0 at row 1 column 1: a 6×6 grid has tokens 1 (blank) to 7 (digit 6)";
        assert_eq!(error.to_string(), expected);
    }
}
