//! The README's library example as a program of its own, outside the workspace, with the dependencies it lists.

use std::path::Path;
use std::process::Command;

/// What stands in the README between a fence of this language and its end.
fn block<'t>(readme: &'t str, language: &str) -> &'t str {
    let (_, after) = readme.split_once(&format!("```{language}\n")).expect("a block");
    after.split_once("```").expect("its end").0
}

#[test]
fn the_library_example_compiles_outside_the_workspace() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let readme = std::fs::read_to_string(repository.join("README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dependencies: Vec<String> = block(&readme, "toml")
        .lines()
        .map(|line| match line.split_once(" = { git = \"…\" }") {
            Some((name, _)) => {
                format!("{name} = {{ path = {:?} }}", repository.join("crates").join(name))
            }
            None => line.to_owned(),
        })
        .collect();
    assert!(dependencies.iter().any(|line| line.contains("path")), "{dependencies:?}");
    let package = "[package]\nname = \"example\"\nedition = \"2024\"\n\n";
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("Cargo.toml", &format!("{package}{}\n", dependencies.join("\n")));
    std::fs::create_dir(folder.path().join("src")).unwrap();
    write("src/main.rs", block(&readme, "rust,no_run"));
    std::fs::copy(repository.join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
    // what it builds stays, so that the next time is fast
    let built = repository.join("target/outside");
    let check = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--offline", "--target-dir"])
        .arg(&built)
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}
