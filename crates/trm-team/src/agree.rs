//! What all processes must have in common, or none goes on.

use crate::Team;

/// Why no process of a team goes on. All of them have the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The process that cannot go on: the first one, if there are several.
    pub rank: usize,
    /// Where that one runs.
    pub host: String,
    /// What it says.
    pub message: String,
    /// Whether it was asked for something that cannot be, rather than that something failed.
    pub misuse: bool,
}

impl std::error::Error for Fault {}

/// Rank 0 speaks for all, and is not named.
impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.rank {
            0 => f.write_str(&self.message),
            rank => write!(f, "rank {rank} on {}: {}", self.host, self.message),
        }
    }
}

impl Team {
    /// A result once all processes have theirs, which may take long: they read data. `said` is what an error says, and
    /// whether that is a misuse.
    ///
    /// # Errors
    /// The fault of the first process that has none.
    pub fn on_all<T, E: From<Fault>>(
        &self,
        result: Result<T, E>,
        said: impl Fn(&E) -> (String, bool),
    ) -> Result<T, E> {
        if self.size() == 1 {
            return result;
        }
        self.wait();
        let fault = result.as_ref().err().map(said);
        self.agree(fault.as_ref().map(|(message, misuse)| (&message[..], *misuse)))?;
        result
    }

    /// Tells all whether this process can go on: its message and whether that was a misuse, if not.
    ///
    /// # Errors
    /// If one of them cannot.
    pub fn agree(&self, fault: Option<(&str, bool)>) -> Result<(), Fault> {
        let said = fault.map_or(String::new(), |(message, misuse)| {
            let kind = if misuse { "misuse" } else { "failure" };
            [kind, &self.host(), message].join("\n")
        });
        let all = self.gather(said.as_bytes());
        let Some((rank, said)) = all.iter().enumerate().find(|(_, said)| !said.is_empty()) else {
            return Ok(());
        };
        let said = String::from_utf8_lossy(said);
        let mut parts = said.splitn(3, '\n').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        let (kind, host, message) = (next(), next(), next());
        Err(Fault { rank, host, message, misuse: kind == "misuse" })
    }

    /// Compares facts with those of rank 0, in this order: what each is about, as "the data set", and what it is.
    ///
    /// # Errors
    /// The first difference of the first process that has one.
    pub fn compare(&self, facts: &[(&str, String)]) -> Result<(), Fault> {
        let values: Vec<&str> = facts.iter().map(|(_, value)| &value[..]).collect();
        let all = self.gather(values.join("\0").as_bytes());
        let first: Vec<String> =
            String::from_utf8_lossy(&all[0]).split('\0').map(str::to_owned).collect();
        let other = facts.iter().zip(&first).find(|((_, own), first)| own != *first);
        let said = other.map(|((what, own), first)| {
            format!("{what} is {own} here, and {first} on rank 0: give all processes the same")
        });
        self.agree(said.as_deref().map(|message| (message, true)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_fault_is_everybodys_and_named_once() {
        let ends = Team::of_threads(3, |team| {
            let fault = (team.rank() > 0).then(|| (["", "no data", "no room"][team.rank()], true));
            (team.agree(None), team.agree(fault).unwrap_err())
        });
        for (fine, fault) in ends {
            assert_eq!((fine, fault.rank, fault.misuse), (Ok(()), 1, true));
            assert!(fault.to_string().starts_with("rank 1 on ") && fault.message == "no data");
        }
        assert_eq!(Team::alone().agree(Some(("x", false))).unwrap_err().to_string(), "x");
    }

    #[test]
    fn facts_that_differ_are_said_with_both_values() {
        let ends = Team::of_threads(3, |team| {
            let data = if team.rank() == 2 { "other" } else { "this" };
            let facts = [("the version", "1".to_owned()), ("the data set", data.to_owned())];
            (team.compare(&facts[..1]), team.compare(&facts).unwrap_err().to_string())
        });
        for (fine, difference) in ends {
            assert_eq!(fine, Ok(()));
            assert!(
                difference.contains("the data set is other here, and this on rank 0"),
                "{difference}"
            );
        }
    }
}
