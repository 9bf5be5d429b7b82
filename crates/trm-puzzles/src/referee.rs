//! Judges from outside: a program of a user's own says what makes an answer right.

use crate::Verdict;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A question and an answer to it, `[S]` tokens each.
pub type Asked<'a> = (&'a [u8], &'a [u8]);

/// What a [`Judge`] says of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ruling {
    /// Whether the answer solves the question; `None` if the judge does not know.
    pub right: Option<bool>,
    /// What the answer costs, where answers differ in that: finite, the lower the better.
    pub cost: Option<f64>,
    /// Cells of the answer that are at fault, to be marked: places in the sequence, from 0.
    pub broken: Vec<usize>,
    /// Why, in words; may be empty.
    pub why: String,
}

impl fmt::Display for Ruling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.right {
            Some(true) => "right by the referee",
            Some(false) => "wrong by the referee",
            None => "not decided by the referee",
        })?;
        if let Some(cost) = self.cost {
            write!(f, ", cost {cost}")?;
        }
        if !self.why.is_empty() {
            write!(f, ": {}", self.why)?;
        }
        Ok(())
    }
}

/// Why a judge gave no ruling: one line that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RefereeError(pub String);

/// Says what makes an answer right ([`Domain::judged_by`](crate::Domain::judged_by)). The same question and answer
/// must always get the same ruling.
///
/// ```
/// use trm_puzzles::{Domain, Judge, RefereeError, Ruling};
///
/// /// An answer holds the symbols of its question in their order. Every symbol that moves costs 1.
/// struct Sorted;
///
/// impl Judge for Sorted {
///     fn judge(&self, question: &[u8], answer: &[u8]) -> Result<Ruling, RefereeError> {
///         let mut sorted = question.to_vec();
///         sorted.sort();
///         let moved = question.iter().zip(answer).filter(|(from, to)| from != to).count();
///         let cost = Some(moved as f64);
///         Ok(Ruling { right: Some(answer == sorted), cost, ..Ruling::default() })
///     }
/// }
///
/// let domain: Domain = "grid:4x1:abc".parse()?;
/// assert!(!domain.has_rules());
/// let domain = domain.judged_by(Sorted);
/// let [question, answer] = [domain.parse("bacb")?, domain.parse("abbc")?];
/// let verdict = domain.verify(&question, &answer)?;
/// assert_eq!(verdict.to_string(), "right by the referee, cost 4");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Judge: Send + Sync + 'static {
    /// Judges an answer, `[S]` tokens as the question. Any token can occur in an answer.
    ///
    /// # Errors
    /// If there is no ruling: whoever asked gives up.
    fn judge(&self, question: &[u8], answer: &[u8]) -> Result<Ruling, RefereeError>;

    /// Judges many answers, in their order; for judges that can do so at the same time.
    ///
    /// # Errors
    /// The first of [`judge`](Judge::judge).
    fn judge_all(&self, asked: &[Asked<'_>]) -> Result<Vec<Ruling>, RefereeError> {
        asked.iter().map(|(question, answer)| self.judge(question, answer)).collect()
    }
}

/// A judge who is not asked the same twice, as long as memory of this size lasts.
pub(crate) struct Remembering {
    judge: Box<dyn Judge>,
    /// By question and answer, one after the other.
    rulings: Mutex<HashMap<Vec<u8>, Ruling>>,
}

/// Bytes of questions and answers that are remembered at most.
const REMEMBERED: usize = 16 << 20;

impl Remembering {
    pub(crate) fn new(judge: impl Judge) -> Remembering {
        Remembering { judge: Box::new(judge), rulings: Mutex::default() }
    }

    fn rulings(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Ruling>> {
        self.rulings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn judge_all(&self, asked: &[Asked<'_>]) -> Result<Vec<Verdict>, RefereeError> {
        let keys: Vec<Vec<u8>> = asked.iter().map(|(q, a)| [*q, *a].concat()).collect();
        let mut found: HashMap<&[u8], Ruling> = HashMap::new();
        let mut new: Vec<usize> = Vec::new();
        {
            let known = self.rulings();
            for (i, key) in keys.iter().enumerate() {
                if found.contains_key(&key[..]) {
                    continue;
                }
                let ruling = known.get(key).cloned();
                if ruling.is_none() {
                    new.push(i);
                }
                found.insert(key, ruling.unwrap_or_default());
            }
        }
        let unknown: Vec<Asked<'_>> = new.iter().map(|i| asked[*i]).collect();
        let rulings = if new.is_empty() { Vec::new() } else { self.judge.judge_all(&unknown)? };
        assert_eq!(rulings.len(), unknown.len(), "a ruling for every answer");
        let mut known = self.rulings();
        for (i, ruling) in new.into_iter().zip(rulings) {
            if (known.len() + 1) * keys[i].len() > REMEMBERED {
                known.clear();
            }
            known.insert(keys[i].clone(), ruling.clone());
            found.insert(&keys[i], ruling);
        }
        Ok(keys.iter().map(|key| Verdict::Ruled(found[&key[..]].clone())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Domain;
    use std::sync::Arc;

    /// Right are answers that begin as their question; all that was asked is written down.
    struct Scribe(Arc<Mutex<Vec<Vec<u8>>>>);

    impl Judge for Scribe {
        fn judge(&self, question: &[u8], answer: &[u8]) -> Result<Ruling, RefereeError> {
            self.0.lock().unwrap().push(answer.to_vec());
            if answer[0] == 3 {
                return Err(RefereeError("no".into()));
            }
            Ok(Ruling { right: Some(question[0] == answer[0]), ..Ruling::default() })
        }
    }

    #[test]
    fn nothing_is_asked_twice_and_errors_are_not_remembered() {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let domain: Domain = "grid:2x1:abc".parse().unwrap();
        let domain = domain.judged_by(Scribe(asked.clone()));
        assert!(domain.has_rules());
        let question = [1, 2];
        let pairs: Vec<Asked<'_>> =
            [&[1, 1], &[2, 1], &[1, 1]].iter().map(|a| (&question[..], &a[..])).collect();
        for _ in 0..2 {
            let verdicts = domain.verify_all(&pairs).unwrap();
            let decisions: Vec<_> = verdicts.iter().map(Verdict::decision).collect();
            assert_eq!(decisions, [Some(true), Some(false), Some(true)]);
        }
        assert_eq!(*asked.lock().unwrap(), [[1, 1], [2, 1]]);
        for _ in 0..2 {
            assert_eq!(domain.verify(&question, &[3, 1]), Err(RefereeError("no".into())));
        }
        assert_eq!(asked.lock().unwrap().len(), 4);
    }

    #[test]
    fn a_ruling_is_one_line() {
        let ruling = Ruling { right: Some(false), why: "two a".into(), ..Ruling::default() };
        assert_eq!(ruling.to_string(), "wrong by the referee: two a");
        let ruling = Ruling { cost: Some(12.5), ..Ruling::default() };
        assert_eq!(ruling.to_string(), "not decided by the referee, cost 12.5");
    }
}
