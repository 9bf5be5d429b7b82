//! Families of other crates: a test of its own process, for which they stay.

use trm_puzzles::sudoku::Shape;
use trm_puzzles::{Domain, Family, Taken, register};

#[test]
fn a_family_is_registered_once_and_only_finds_domains_of_the_name() {
    let find = |_: &str| Some(Domain::new(Shape::Four));
    let family = |name| Family { name, examples: "liars", find, public: None };
    assert_eq!(register(family("liar")), Ok(()));
    for taken in ["liar", "maze"] {
        assert_eq!(register(family(taken)), Err(Taken { name: taken }));
    }
    assert!("liar3".parse::<Domain>().unwrap_err().to_string().ends_with(" and liars"));
}
