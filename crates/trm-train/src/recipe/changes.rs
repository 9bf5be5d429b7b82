//! The recipe of a training: what is said in a file, and what is changed for this time.

use super::{Precision, Recipe};
use crate::Error;
use std::path::{Path, PathBuf};
use trm_data::Dataset;
use trm_data::files::read_text;

/// What is changed in a recipe for one training.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// `key=value` ([`Recipe::parse`]).
    pub settings: Vec<String>,
    /// Another data set.
    pub data: Option<PathBuf>,
    /// Another number format.
    pub precision: Option<Precision>,
    /// Another seed.
    pub seed: Option<u64>,
}

/// The text of a recipe, and the file that it is from.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// TOML; may be empty.
    pub text: String,
    /// The file, if it is in one.
    pub file: Option<PathBuf>,
}

impl Said {
    /// The text of a file; nothing without one.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(file: Option<&Path>) -> Result<Said, Error> {
        let text = file.map_or(Ok(String::new()), read_text)?;
        Ok(Said { text, file: file.map(Path::to_owned) })
    }

    fn parse(&self, settings: &[String]) -> Result<Recipe, Error> {
        Recipe::parse(&self.text, settings).map_err(|message| match &self.file {
            Some(file) => Error::file(file, message),
            None => Error::Recipe(message),
        })
    }
}

impl Changes {
    /// The recipe of a run that is to go on.
    ///
    /// # Errors
    /// Those of [`Recipe::load`].
    pub fn of_run(&self, folder: &Path) -> Result<Recipe, Error> {
        Ok(self.apply(Recipe::load(&folder.join("recipe.toml"), &self.settings)?))
    }

    /// The recipe of a new run. Where nothing is said of the network nor of the training, both are chosen to suit the
    /// data, and what is chosen is given too ([`Recipe::suited`]).
    ///
    /// # Errors
    /// If the recipe cannot be used, or the data are needed and cannot be read.
    pub fn of_new(&self, said: &Said) -> Result<(Recipe, Option<String>), Error> {
        if !Recipe::is_bare(&said.text) {
            return Ok((self.apply(said.parse(&self.settings)?), None));
        }
        let plain = Recipe::parse(&said.text, &[]).map_err(Error::Recipe)?;
        let chosen = Recipe::suited(&self.apply(plain).load_data()?);
        let whole = Recipe::parse(&format!("{}\n{chosen}", said.text), &self.settings);
        Ok((self.apply(whole.map_err(Error::Recipe)?), Some(chosen)))
    }

    fn apply(&self, mut recipe: Recipe) -> Recipe {
        if let Some(data) = &self.data {
            recipe.data = data.clone();
        }
        if let Some(precision) = self.precision {
            recipe.train.precision = precision;
        }
        recipe.seed = self.seed.unwrap_or(recipe.seed);
        recipe
    }
}

impl Recipe {
    /// The puzzles to train on.
    ///
    /// # Errors
    /// If the recipe names no data set, or it is not there or cannot be read.
    pub fn load_data(&self) -> Result<Dataset, Error> {
        if self.data.as_os_str().is_empty() {
            let message =
                "the recipe names no data set: set data = \"DIR\" or give --data DIR".to_owned();
            return Err(Error::Recipe(message));
        }
        if !self.data.exists() {
            return Err(Error::Failed(format!(
                "no data set at {}: make it with `trm data …` (a shipped recipe's first lines say how), \
                 or give --data DIR",
                self.data.display()
            )));
        }
        Dataset::load(&self.data, "train")
    }
}

/// runs/NAME, or the first of runs/NAME-2, runs/NAME-3, … that is free, for a recipe or data of this path.
pub fn free_folder(recipe: &Path) -> PathBuf {
    let name = recipe.file_stem().unwrap_or_default().to_string_lossy();
    let numbered = (2..).map(|i| format!("{name}-{i}"));
    let mut names = std::iter::once(name.to_string()).chain(numbered);
    let free = names.find(|n| !Path::new("runs").join(n).exists());
    Path::new("runs").join(free.expect("numbers do not end"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_changed_goes_before_what_is_said() {
        let text = "seed = 1\ndata = \"a\"\n[train]\nsteps = 3\n";
        let said = Said { text: text.into(), file: None };
        let settings = vec!["steps=4".into()];
        let changes =
            Changes { settings, data: Some("b".into()), seed: Some(9), ..Changes::default() };
        let (recipe, chosen) = changes.of_new(&said).unwrap();
        assert_eq!((recipe.seed, recipe.data, recipe.train.steps), (9, "b".into(), 4));
        assert_eq!(chosen, None);
    }

    #[test]
    fn data_that_are_not_there_are_missed_before_anything_is_chosen() {
        let error = |changes: Changes| changes.of_new(&Said::default()).unwrap_err().to_string();
        assert!(error(Changes::default()).starts_with("the recipe names no data set"));
        let missing = Changes { data: Some("nowhere".into()), ..Changes::default() };
        assert!(error(missing).starts_with("no data set at nowhere: make it"));
    }
}
