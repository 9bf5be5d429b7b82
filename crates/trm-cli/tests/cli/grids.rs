//! Puzzles of a user's own in every form.

use crate::session::{RECIPE, Session};

/// What a command says on standard error.
fn said(session: &Session, arguments: &[&str]) -> String {
    let output = session.run(arguments);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {text}");
    text
}

/// Tables of two columns of numbers, answered by the larger number of each row.
fn tables() -> String {
    let cell = |code: usize, i: usize| [3, 7, 10, 12][code >> (2 * i) & 3];
    let example = |code: usize| {
        let rows: Vec<[usize; 2]> =
            (0..2).map(|row| [cell(code, 2 * row), cell(code, 2 * row + 1)]).collect();
        let answer: Vec<[usize; 1]> = rows.iter().map(|row| [row[0].max(row[1])]).collect();
        format!("{{\"input\": {rows:?}, \"output\": {answer:?}}}\n")
    };
    (0..256).map(example).collect()
}

#[test]
fn numbers_with_answers_of_another_size_are_described_learned_and_solved() {
    let session = Session::new();
    session.write("tables.jsonl", &tables());
    let data = ["data", "grid", "--train", "tables.jsonl", "--permute-rows"];
    let told = session.succeed(&[&data[..], &["--describe"]].concat());
    for line in [
        "domain         grid:2x2to1x2:symbols=3,7,10,12:rows",
        "symbols        4: `3` `7` `10` `12`",
        "function       no question has two answers",
        "  rows         may hold: 120 examples with it, none against",
        "  columns      questions and answers differ in their number",
        "mix = \"mixer\"",
    ] {
        assert!(told.contains(line), "no {line}: {told}");
    }
    assert_eq!(session.files().len(), 1, "nothing is written");
    session.succeed(&[&data[..], &["--split", "30", "--out", "data"]].concat());
    assert!(session.succeed(&["data", "check", "data"]).contains("in test, 0 in both"));
    let csv = session.succeed(&["data", "csv", "data", "--split", "test"]);
    assert_eq!(csv.lines().nth(1).unwrap().split([',', '/', ' ']).count(), 6, "{csv}");

    session.write("recipe.toml", RECIPE);
    session.succeed(&["train", "recipe.toml", "--out", "run"]);
    assert!(session.succeed(&["eval", "run", "--data", "data"]).contains("data digest"));
    let output = session.run(&["solve", "run", "12 3/10 7", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let answer = json["answer"].as_str().unwrap();
    assert_eq!((answer.split('/').count(), answer.contains(' ')), (2, false), "{answer}");
    let drawn = String::from_utf8(session.run(&["solve", "run", "12 3/10 7"]).stdout).unwrap();
    assert!(drawn.contains("\n12  3\n10  7\n"), "{drawn}");
}

#[test]
fn what_a_reader_of_scores_must_know_is_said_when_data_are_made() {
    let session = Session::new();
    let mut file = "input,output\n".to_owned();
    for code in 0..16 {
        let row: String = (0..4).map(|i| if code >> i & 1 == 0 { 'a' } else { 'b' }).collect();
        file += &format!("{row}c,{row}d\n");
    }
    session.write("copied.csv", &file);
    session.write("two.csv", &format!("{file}aaaac,aaaad\naaaac,bbbbd\n"));
    session.write("test.csv", "input,output\nbaaac,baaad\nabbac,abbad\n");
    let data = ["data", "grid", "--train", "copied.csv", "--test", "test.csv", "--reversal"];
    let text = said(&session, &[&data[..], &["--out", "copied"]].concat());
    let same = "warning: 80.0 % of all cells are the same in input and output: a model that copies";
    assert!(text.contains(same), "{text}");
    assert!(
        text.contains("warning: 2 training puzzles left out, whose class is in the test split")
    );
    let wrong = "warning: `dihedral` does not hold";
    assert!(!text.contains(wrong), "{text}");

    let two = ["data", "grid", "--train", "two.csv", "--split", "2"];
    let refused = session.refuse(&[&two[..], &["--out", "two"]].concat(), 2);
    let expected = "two.csv: lines 2 and 19 answer the same question differently: --two-answers keeps one of them";
    assert_eq!(refused, expected);
    let text = said(&session, &[&two[..], &["--two-answers", "--out", "two"]].concat());
    assert!(
        text.contains("warning: 1 of 18 examples answer the question of an earlier one"),
        "{text}"
    );

    session.write("turned.csv", "input,output\nabb,aac\nbba,aac\nabc,abc\n");
    let turned = ["data", "grid", "--train", "turned.csv", "--split", "1", "--dihedral"];
    let text = said(&session, &[&turned[..], &["--out", "turned"]].concat());
    assert!(text.contains(&format!("{wrong}: lines 2 and 3 ask the same")), "{text}");
    let refused = session.refuse(&[&turned[..], &["--permute-rows", "--out", "no"]].concat(), 2);
    assert_eq!(refused, "turned.csv: `rows` does not fit: there is one");
}

#[cfg(target_os = "linux")]
#[test]
fn a_program_augments_training_puzzles_and_no_others() {
    let session = Session::new();
    session.write("pairs.csv", "input,output\nabc,cba\nacb,bca\nbac,cab\nbca,acb\n");
    let data = ["data", "grid", "--train", "pairs.csv", "--split", "1", "--augmentations", "1"];
    let with = |command, out| [&data[..], &["--augment", command, "--out", out]].concat();
    let text = said(&session, &with("sed -u 's/b/z/g;s/c/b/g;s/z/c/g'", "data"));
    let expected = "3 of the training puzzles are augmentations (0 left out as duplicates, 0 as in the test split)";
    assert!(text.contains(expected), "{text}");
    let checked = session.succeed(&["data", "check", "data"]);
    assert!(checked.contains("3 puzzles, 3 groups") && checked.contains("0 in both"), "{checked}");
    assert!(checked.contains("test: 1 examples, 1 puzzles"), "{checked}");
    let refused = session.refuse(&with("sed -u s/a/x/g", "no"), 2);
    assert!(refused.contains("`x` at row 1 column"), "{refused}");
}
