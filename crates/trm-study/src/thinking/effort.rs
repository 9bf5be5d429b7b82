//! How to think about puzzles where little is said of it.

use super::search::SearchOptions;
use super::trail::Effort;
use trm::{Config, Limits, Search};
use trm_puzzles::Domain;

/// What is asked of the thinking. What is left out is as `trm solve` has it: judged by the rules where there are any,
/// unless the model alone is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// Supervision steps at most, of a chain where there is a search.
    pub steps: Option<usize>,
    /// The model alone decides: it is done, in one pass or in a search that is asked for, at its first step with a halting
    /// probability above this.
    pub halt: Option<f32>,
    /// The model alone, as the paper has it.
    pub alone: bool,
    /// A search, where there are no rules too. Its steps are those of the wish.
    pub search: Option<SearchOptions>,
}

impl Wish {
    /// Whether there is a search that goes on where the first chain ends.
    pub fn searches(&self, domain: &Domain) -> bool {
        let judged = domain.has_rules() && self.halt.is_none();
        !self.alone && (judged || self.search.is_some())
    }

    /// A search as it was asked for, of the wish's steps; judged by the rules unless the model alone decides.
    pub fn searching(&self, search: SearchOptions, config: &Config) -> SearchOptions {
        let SearchOptions { search, time } = search;
        let halt = self.halt.unwrap_or(search.halt);
        let (steps, judged) = (self.steps(config), self.halt.is_none());
        SearchOptions { search: Search { steps, halt, judged, ..search }, time }
    }

    /// Supervision steps at most, of each chain where there is a search: the model's, where none are asked for.
    pub fn steps(&self, config: &Config) -> usize {
        self.steps.unwrap_or(config.supervision_steps)
    }

    /// How a model of this configuration thinks about puzzles of this domain.
    pub fn effort(&self, config: &Config, domain: &Domain) -> Effort {
        if !self.searches(domain) {
            let halt = Some(self.halt.unwrap_or(Limits::CAREFUL_HALT));
            return Effort::OnePass(Limits { steps: self.steps(config), halt });
        }
        let usual = SearchOptions { search: Search::default(), time: None };
        Effort::Judged(self.searching(self.search.unwrap_or(usual), config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_judge_unless_the_model_alone_is_asked_for() {
        let config = Config { supervision_steps: 16, ..Config::default() };
        let parse = |name: &str| name.parse::<Domain>().unwrap();
        let (sudoku, own) = (parse("sudoku4"), parse("grid:2x2:ab"));
        let steps = |wish: Wish, domain: &Domain| match wish.effort(&config, domain) {
            Effort::OnePass(limits) => (false, limits.steps),
            Effort::Judged(options) => (true, options.search.steps),
        };
        assert_eq!(steps(Wish::default(), &sudoku), (true, 16));
        assert_eq!(steps(Wish::default(), &own), (false, 16));
        assert_eq!(steps(Wish { alone: true, ..Wish::default() }, &sudoku), (false, 16));
        assert_eq!(steps(Wish { halt: Some(0.5), ..Wish::default() }, &sudoku), (false, 16));
        let search = Some(SearchOptions { search: Search::default(), time: None });
        assert_eq!(steps(Wish { search, steps: Some(5), ..Wish::default() }, &own), (true, 5));
        let alone = Wish { search, halt: Some(0.5), ..Wish::default() };
        let Effort::Judged(options) = alone.effort(&config, &sudoku) else { panic!("a search") };
        assert_eq!((options.search.judged, options.search.halt), (false, 0.5));
    }
}
