use super::*;
use crate::Dataset;
use trm_puzzles::grid::Augmentation;

fn splits(files: &[(&str, &str)], test: usize, wanted: &Wanted) -> Result<Splits, Error> {
    splits_of(files, (test, 1), wanted)
}

fn splits_of(
    files: &[(&str, &str)],
    (test, seed): (usize, u64),
    wanted: &Wanted,
) -> Result<Splits, Error> {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<_> = files
        .iter()
        .map(|(name, text)| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        })
        .collect();
    let grids = Grids::read(&paths[0], paths.get(1).map(|path| path.as_path()), wanted)?;
    grids.splits((Some(test), seed), false)
}

fn message(name: &str, text: &str, wanted: &Wanted) -> String {
    let error = splits(&[(name, text)], 1, wanted).err().unwrap().to_string();
    let (_, message) = error.split_once(&format!("{name}: ")).unwrap();
    message.to_owned()
}

#[test]
fn what_stands_between_cells_is_left_out() {
    let plain = [("a.csv", "input,output\n12/34,31/42\n02/31,30/12\n")];
    let plain = splits(&plain, 1, &Wanted::default()).unwrap();
    let texts = [
        ("a.csv", "input,output\n1 2/3 4,3 1/4 2\n0 2/3 1,3 0/1 2\n"),
        ("a.csv", "input,output\n1\t2/3\t4,3\t1/4\t2\n0\t2/3\t1,3\t0/1\t2\n"),
        ("a.csv", "input,output\n\"1,2/3,4\",\"3,1/4,2\"\n\"0,2/3,1\",\"3,0/1,2\"\n"),
        (
            "a.jsonl",
            "{\"input\": \"1 2\\n3 4\", \"output\": \"3 1\\n4 2\"}\n\
             {\"input\": [\"0 2\", \"3 1\"], \"output\": \"3 0\\n1 2\"}\n",
        ),
    ];
    for file in texts {
        let read = splits(&[file], 1, &Wanted::default()).unwrap();
        assert_eq!(
            (read.train.inputs, read.train.labels),
            (plain.train.inputs.clone(), plain.train.labels.clone())
        );
        assert_eq!(read.train.metadata.domain, "grid:2x2:01234");
    }
}

#[test]
fn a_square_number_of_cells_on_one_line_is_asked_about() {
    let text = "input,output\nab..,ba..\n.ab.,a..b\n";
    let message = message("a.csv", text, &Wanted::default());
    assert!(message.contains("--width 2 if they are squares of 2 rows, --width 4"), "{message}");
    for (width, size) in [(2, "grid:2x2"), (4, "grid:4x1")] {
        let wanted = Wanted { width: Some(width), ..Wanted::default() };
        let read = splits(&[("a.csv", text)], 1, &wanted).unwrap();
        assert!(read.train.metadata.domain.starts_with(size));
    }
}

#[test]
fn both_kinds_of_files_give_the_same_data() {
    let csv = ("train.csv", "input,output\nab/..,ba/..\n.a/b.,a./.b\n");
    let test = ("test.csv", "question,answer\n\"a.\nbb\",\".a\nbb\"\n");
    let one = splits(&[csv, test], 0, &Wanted::default()).unwrap();
    assert_eq!(one.train.metadata.domain, "grid:2x2:.ab");
    assert_eq!((one.train.input(0), one.train.label(0)), (&[2, 3, 1, 1][..], &[3, 2, 1, 1][..]));
    assert_eq!((one.train.len(), one.test.len(), one.duplicates), (2, 1, 0));

    let jsonl = (
        "train.jsonl",
        "{\"input\": [\"ab\", \"..\"], \"output\": [[\"b\", \"a\"], [\".\", \".\"]]}\n\n\
         {\"question\": \".a/b.\", \"answer\": \"a.\\n.b\"}\n",
    );
    let other = splits(&[jsonl, test], 0, &Wanted::default()).unwrap();
    let both = |data: &Dataset| (data.inputs.clone(), data.labels.clone());
    assert_eq!(both(&one.train), both(&other.train));
}

#[test]
fn numbers_sizes_and_symmetries_are_understood() {
    let text = "{\"input\": [[1, 2, 3]], \"output\": [[3], [2], [1]]}\n{\"input\": [[1]], \"output\": [[1]]}\n";
    let varied = splits(&[("a.jsonl", text)], 1, &Wanted::default()).unwrap();
    assert_eq!(varied.train.metadata.domain, "grid:3x3:123 ");
    let wanted = Wanted {
        width: Some(3),
        symbols: Some("cba.".into()),
        augmentations: vec![Augmentation::Dihedral],
        ..Wanted::default()
    };
    let text = "input,output\nab.cab,abcabc\n.babac,abcabc\nbac..a,abcabc\n";
    let fixed = splits(&[("a.csv", text)], 1, &wanted).unwrap();
    assert_eq!(fixed.train.metadata.domain, "grid:3x2:cba.:dihedral");
    assert_eq!((fixed.train.len() + fixed.test.len(), fixed.duplicates), (2, 1), "one is turned");
}

#[test]
fn old_data_keep_their_bytes() {
    let csv = "input,output\nab/.a,ba/a.\nb./ab,.b/ba\n../ab,ab/..\na./..,.a/..\n";
    let jsonl = "{\"input\": [[1, 2, 3]], \"output\": [[3], [2], [1]]}\n{\"input\": [[1]], \
                 \"output\": [[1]]}\n{\"input\": [[2,1]], \"output\": [[1],[2]]}\n";
    let both = Wanted {
        augmentations: vec![Augmentation::Dihedral],
        permuted: "ab".into(),
        ..Wanted::default()
    };
    for (file, wanted, train, test) in [
        (("a.csv", csv), both, "8ca391e6d8397bcc", "ec538825b855c050"),
        (("v.jsonl", jsonl), Wanted::default(), "12ce4a692de315b6", "b5603252359e8532"),
    ] {
        let read = splits_of(&[file], (1, 0), &wanted).unwrap();
        let digests = [read.train, read.test].map(|data| data.digest());
        assert!(digests[0].starts_with(train) && digests[1].starts_with(test), "{digests:?}");
    }
}

#[test]
fn symbols_of_several_characters_are_lists_or_stand_apart() {
    let jsonl = "{\"input\": [[10, 3], [0, 7]], \"output\": [[\"3\", \"0\"], [\"7\", \"10\"]]}\n\
                 {\"input\": [[0, 3], [3, 7]], \"output\": [[3, 0], [7, 3]]}\n";
    let lists = splits(&[("a.jsonl", jsonl)], 1, &Wanted::default()).unwrap();
    assert_eq!(lists.train.metadata.domain, "grid:2x2:symbols=0,3,7,10");
    for csv in [
        "input,output\n10 3/0 7,3 0/7 10\n0 3/3 7,3 0/7 3\n",
        "input,output\n\"10,3/0,7\",\"3,0/7,10\"\n\"0,3/3,7\",\"3,0/7,3\"\n",
        "input,output\n10\t3/0\t7,3\t0/7\t10\n0\t3/3\t7,3\t0/7\t3\n",
    ] {
        let read = splits(&[("a.csv", csv)], 1, &Wanted::default()).unwrap();
        assert_eq!(
            (read.train.inputs, read.train.metadata.domain),
            (lists.train.inputs.clone(), lists.train.metadata.domain.clone())
        );
    }
    let wanted = Wanted {
        symbols: Some("10,7,3,0,-1".into()),
        permuted: "10,3".into(),
        ..Wanted::default()
    };
    let named = splits(&[("a.jsonl", jsonl)], 1, &wanted).unwrap();
    assert_eq!(named.train.metadata.domain, "grid:2x2:symbols=10,7,3,0,-1:permute=10,3");
}

#[test]
fn whether_blanks_are_symbols_is_asked_where_both_can_be() {
    let text = "input,output\n10 30/40 70,30 70/10 40\n10 10/30 70,70 70/10 10\n";
    let error = message("a.csv", text, &Wanted::default());
    assert!(
        error.starts_with("line 2: is `10 30` a row of 2 symbols or of 5 characters? --apart"),
        "{error}"
    );
    for (wanted, domain) in [
        (Wanted { apart: true, ..Wanted::default() }, "grid:2x2:symbols=10,30,40,70"),
        (Wanted { symbols: Some("01347 ".into()), ..Wanted::default() }, "grid:5x2:01347 "),
    ] {
        assert_eq!(splits(&[("a.csv", text)], 1, &wanted).unwrap().train.metadata.domain, domain);
    }
    let spaces = "input,output\nab c/ c b,ba c/b c \n.b  / a,b./a \n"; // blanks side by side are symbols
    let error = message("a.csv", spaces, &Wanted::default());
    assert!(error.contains("row 2 has 2 cells where the first has 4"), "{error}");
}

#[test]
fn answers_of_another_size_are_padded_with_what_is_ignored() {
    let text = "input,output\nab/..,a\n.a/b.,b\n..,a\n".replace("..,a", "../..,a");
    let read =
        splits(&[("a.csv", &text.replace("ab/../..", "ab/.."))], 1, &Wanted::default()).unwrap();
    assert_eq!(read.train.metadata.domain, "grid:2x2to1x1:.ab");
    assert_eq!((&read.train.label(0)[1..], read.train.ignore_label()), (&[0; 3][..], 0));
    let rows = "input,output\nabcab,ab\nabccc,bb\naaaaa,ca\n";
    let read = splits(&[("a.csv", rows)], 1, &Wanted::default()).unwrap();
    assert_eq!(read.train.metadata.domain, "grid:5x1to2x1:abc");
    let lengths =
        "{\"input\": [1, 2, 3, 4], \"output\": [4]}\n{\"input\": [1, 2], \"output\": [2, 1]}\n";
    let read = splits(&[("a.jsonl", lengths)], 1, &Wanted::default()).unwrap();
    assert_eq!(read.train.metadata.domain, "grid:4x1:1234 ");
}

#[test]
fn faults_are_named_with_their_place() {
    let plain = Wanted::default();
    let csv = |text: &str| message("a.csv", text, &plain);
    assert_eq!(
        csv("input,label\n"),
        "line 1: no column `output`; the header must name `input` and `output`"
    );
    assert_eq!(csv("input,output\n"), "no puzzles");
    assert_eq!(
        csv("input,output\na,b\nab/a,b\n"),
        "line 3, input: row 2 has 1 cells where the first has 2"
    );
    assert_eq!(csv("input,output\na,b\n,b\n"), "line 3, input: 0×0 cells: sides are 1 to 255");
    assert_eq!(
        csv("input,output\na,b\na,a\n"),
        "lines 2 and 3 answer the same question differently: --two-answers keeps one of them"
    );
    assert_eq!(csv("input,output\na,b\n"), "cannot split off 1 of 1 puzzles to test on");
    assert!(csv("input,output\na,b\na  b,a\n").starts_with("line 3: grids of different sizes"));
    let alphabet = Wanted { symbols: Some("ab".into()), ..Wanted::default() };
    assert_eq!(
        message("a.csv", "input,output\na,b\na,c\n", &alphabet),
        "line 3, output: `c` at row 1 column 1: the symbols are `ab`"
    );
    let small = Wanted { height: Some(1), ..Wanted::default() };
    assert_eq!(
        message("a.csv", "input,output\na/b,b/a\n", &small),
        "line 2, input: 1×2 cells, not 1×1"
    );
    let json = |text: &str| message("a.jsonl", text, &plain);
    assert!(json("{\"input\": 3}\n").starts_with("line 1: `input` is no grid"));
    assert!(json("{\"input\": [[[12]]]}\n").starts_with("line 1: `input` is no grid"));
    assert_eq!(json("{\"input\": \"a\"}\n"), "line 1: no `output`");
    assert!(json("{\"input\": \n").starts_with("line 1: "));
    let exchanged = Wanted { permuted: "az".into(), ..Wanted::default() };
    assert!(message("a.csv", "input,output\na,b\n", &exchanged).contains("`z` is to be exchanged"));
}

/// The puzzles of a file.
fn grids(name: &str, text: &str, wanted: &Wanted) -> Grids {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    Grids::read(&path, None, wanted).unwrap()
}

#[test]
fn augmentations_that_do_not_fit_are_refused() {
    let with = |augmentation| Wanted { augmentations: vec![augmentation], ..Wanted::default() };
    for (text, augmentation, refusal) in [
        ("ab/ba,ab/bb", Augmentation::Reversal, "`reversal` does not fit: it is for sequences"),
        ("ab/ba,ab", Augmentation::Rows, "`rows` does not fit: questions and answers differ"),
        (
            "ab/ba,ab\naa,ab/bb",
            Augmentation::Rows,
            "line 2: `rows` does not fit: question and answer",
        ),
        ("ab/ba,ab/bb\naa,a", Augmentation::Columns, "line 3: `columns` does not fit"),
        ("abb,ba", Augmentation::Rows, "`rows` does not fit: there is one"),
    ] {
        let error = message("a.csv", &format!("input,output\n{text}\n"), &with(augmentation));
        assert!(error.starts_with(refusal), "{error}");
    }
}

#[test]
fn facts_are_what_the_examples_tell() {
    let text = "input,output\nab/..,xb/..\n../ab,../xb\nba/..,xx/xx\nab/..,xx/..\n";
    let facts = GridFacts::of(&grids("a.csv", text, &Wanted::default()));
    assert_eq!((facts.examples, facts.classes, facts.two_answers, facts.shared), (4, 3, 1, 0));
    assert_eq!((facts.same_cells, &facts.kept[..]), (0.5, &[][..]));
    let of = |one| facts.augmentations.iter().find(|(found, _)| *found == one).unwrap().1.clone();
    assert_eq!(of(Augmentation::Dihedral), Told::Refuted(2, 4));
    assert_eq!(of(Augmentation::Rows), Told::Agrees(1));
    assert!(matches!(of(Augmentation::Reversal), Told::Misfit(_)));
    let alone = "input,output\nab/..,xb/..\n.a/..,.x/..\n";
    let facts = GridFacts::of(&grids("a.csv", alone, &Wanted::default()));
    assert_eq!(facts.kept, [".", "b"]);
    assert_eq!(facts.augmentations[1], (Augmentation::Rows, Told::Nothing));
}

#[test]
fn two_answers_are_kept_only_where_that_is_allowed() {
    let text = "input,output\nab,aa\nab,bb\nba,bb\nbb,ab\n";
    let grids = grids("a.csv", text, &Wanted::default());
    // the folder of the file is gone: splits read it again for its digest
    assert!(grids.splits((Some(1), 0), false).err().unwrap().to_string().contains("lines 2 and 3"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, text).unwrap();
    let splits = Grids::read(&path, None, &Wanted::default()).unwrap();
    let splits = splits.splits((Some(1), 0), true).unwrap();
    assert_eq!((splits.train.len() + splits.test.len(), splits.duplicates), (3, 1));
}

#[cfg(target_os = "linux")]
#[test]
fn a_program_augments_what_is_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, "input,output\nab,ba\nac,ca\ncb,bc\nbc,cb\n").unwrap();
    let grids = Grids::read(&path, None, &Wanted::default()).unwrap();
    let augmented = |command: &str, count: usize| {
        let mut splits = grids.splits((Some(1), 0), false).unwrap();
        augment_grids(&grids, &mut splits, (command, count), 7, None).map(|done| (done, splits))
    };
    let (done, splits) = augmented("sed -u 's/a/z/g;y/bz/zb/;s/z/a/g'", 2).unwrap(); // a and b exchanged
    assert_eq!((done.added + done.in_test + done.duplicates, splits.train.groups()), (6, 3));
    assert!(done.added > 0 && done.duplicates >= 2, "{done:?}: the second is the first");
    assert_eq!(splits.train.len(), 3 + done.added);
    assert_eq!(
        splits.train.originals().inputs,
        grids.splits((Some(1), 0), false).unwrap().train.inputs
    );
    splits.save(&folder.path().join("data")).unwrap();
    assert_eq!(Dataset::load(&folder.path().join("data"), "train").unwrap(), splits.train);
    assert!(splits.train.metadata.origin.source.contains("2 augmentations each by `sed"));

    let error = |command: &str| augmented(command, 1).err().unwrap().to_string();
    assert!(error("true").starts_with("--augment `true`: ended before its last answer"));
    assert!(error("'").ends_with("a quote is not closed"));
    assert!(error("sed -u s/a/x/g").contains("input: `x` at row 1 column"));
    assert!(error("sed -u s/.*/no/").contains("expected ident"), "{}", error("sed -u s/.*/no/"));
}

#[test]
fn lists_of_short_symbols_are_lists_where_others_are_long() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let lines = [("10", "a"), ("2", "b"), ("3", "a"), ("4", "b")];
    let line =
        |(x, y)| format!("{{\"input\": [[\"{x}\", \"1\"]], \"output\": [[\"{y}\", \"b\"]]}}\n");
    std::fs::write(&path, lines.map(line).concat()).unwrap();
    let grids = Grids::read(&path, None, &Wanted::default()).unwrap();
    assert_eq!((grids.format.question(), grids.format.answer()), ((2, 1), (2, 1)));
    let mut splits = grids.splits((Some(1), 0), false).unwrap();
    let done = augment_grids(&grids, &mut splits, ("cat", 1), 7, None).unwrap();
    assert_eq!((done.added, done.duplicates), (0, 3), "an echo is the puzzle itself");
}

#[test]
fn what_only_one_line_has_is_told() {
    let line = |i: usize| format!("{:03b},{:03b}\n", i % 8, (i + 1) % 8);
    let many: String = (0..60).map(line).collect();
    let facts = |text: &str| GridFacts::of(&grids("a.csv", text, &Wanted::default()));
    assert_eq!(facts(&format!("input,output\n{many}")).lonely, []);
    let x = format!("input,output\n01X,010\n{many}");
    assert_eq!(facts(&x).lonely, [Lonely::Symbol("X".into(), 2)]);
    let short = format!("input,output\n{many}111,00\n");
    assert_eq!(facts(&short).lonely, [Lonely::Size(true, (2, 1), 62, (3, 1))]);
    assert_eq!(facts(&short).uncut, None);
}

#[test]
fn rows_that_are_not_cut_are_told() {
    let line = "{\"input\": [\"1 10\", \"2 3\"], \"output\": [\"#..\", \"..#\"]}\n";
    let facts = GridFacts::of(&grids("a.jsonl", line, &Wanted::default()));
    assert_eq!(facts.uncut.as_deref(), Some("#.."));
}

#[test]
fn a_referee_refutes_augmentations() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, "input,output\nabc,abc\nacb,abc\n").unwrap();
    // answers are in alphabetical order, so columns must not change places
    let script = "while read -r line; do case $line in *'\"answer\":[\"abc\"]'*) echo '{\"verdict\":\"right\"}';; \
        *) echo '{\"verdict\":\"wrong\"}';; esac; done";
    let words = ["sh", "-c", script].map(str::to_owned).to_vec();
    let referee = RefereeCommand { words, workers: 1, limit: std::time::Duration::from_secs(10) };
    let read = |augmentations: &[Augmentation]| {
        let wanted = Wanted { augmentations: augmentations.to_vec(), ..Wanted::default() };
        Grids::read(&path, None, &wanted).unwrap()
    };
    let plain = read(&[]);
    plain.check_answers(&referee).unwrap();
    plain.check_augmentations(&referee, 0).unwrap();
    let errors: Vec<String> = (0..8)
        .filter_map(|seed| read(&[Augmentation::Columns]).check_augmentations(&referee, seed).err())
        .map(|error| error.to_string())
        .collect();
    assert!(errors.len() > 4, "two random orders of three columns are seldom both the first");
    assert!(
        errors[0].contains("an augmentation (columns) has an answer that is wrong"),
        "{errors:?}"
    );

    let mut splits = plain.splits((Some(1), 0), false).unwrap();
    let error = augment_grids(&plain, &mut splits, ("sed -u y/bc/cb/", 1), 7, Some(&referee));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("whose answer is wrong by the referee"), "{error}");
}
