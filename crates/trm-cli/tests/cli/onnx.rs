//! Models for other runtimes, and the page without a server.

use crate::session::Session;

#[test]
fn a_graph_has_the_configuration_inside_and_int8_is_smaller() {
    let session = Session::new();
    session.trained();
    let told = session.succeed(&["export", "run", "--to", "onnx", "--out", "model.onnx"]);
    assert!(told.starts_with("model.onnx: ") && told.contains("as f32 (ONNX, opset 17)"), "{told}");
    let int8 = ["export", "run", "--to", "onnx", "--weights", "int8", "--out", "small.onnx"];
    assert!(session.succeed(&int8).contains("as int8 (ONNX"));
    let [whole, small] =
        ["model.onnx", "small.onnx"].map(|name| std::fs::read(session.path(name)).unwrap());
    assert!(small.len() < whole.len(), "{} of {}", small.len(), whole.len());
    let config = std::fs::read_to_string(session.path("run/best/config.json")).unwrap();
    let holds = |text: &str| whole.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds(config.trim()), "config.json as it is");
    let same = session.refuse(&["export", "run", "--to", "onnx", "--out", "model.onnx"], 2);
    assert!(same.contains("exists already"), "{same}");
}

#[test]
fn the_page_is_written_with_its_runtime_or_says_what_is_missing() {
    let session = Session::new();
    session.trained();
    let output = session.run(&["export", "run", "--to", "web", "--out", "page"]);
    assert!(output.status.success());
    let note = String::from_utf8(output.stderr).unwrap();
    assert!(
        note.contains("npm pack onnxruntime-web@1.30.0") && note.lines().count() == 1,
        "{note}"
    );
    for file in ["index.html", "engine-onnx.js", "models.json", "run.onnx"] {
        assert!(session.path("page").join(file).exists(), "{file}");
    }
    let models: serde_json::Value =
        serde_json::from_slice(&std::fs::read(session.path("page/models.json")).unwrap()).unwrap();
    let model = &models["data"][0];
    assert_eq!((&model["id"], &model["onnx"]["file"]), (&"run".into(), &"run.onnx".into()));
    assert!(model["onnx"]["y"].as_array().is_some_and(|y| !y.is_empty()));

    std::fs::create_dir(session.path("dist")).unwrap();
    session.write("dist/ort.wasm.min.js", "//");
    let export = ["export", "run", "--to", "web", "--runtime", "dist", "--out", "whole"];
    let line = session.refuse(&export, 2);
    assert!(line.contains("ort-wasm-simd-threaded.mjs: cannot be read"), "{line}");
    session.write("dist/ort-wasm-simd-threaded.mjs", "//");
    session.write("dist/ort-wasm-simd-threaded.wasm", "");
    session.succeed(&export);
    assert!(session.path("whole/ort-wasm-simd-threaded.wasm").exists());
}

#[test]
fn what_does_not_go_together_is_refused() {
    let session = Session::new();
    session.trained();
    for (words, says) in [
        (&["--weights", "int8"][..], "--weights goes with --to onnx and --to web"),
        (&["--to", "onnx", "--runtime", "."], "--runtime goes with --to web"),
    ] {
        let line = session.refuse(&[&["export", "run", "--out", "o"], words].concat(), 2);
        assert!(line.contains(says), "{line}");
    }
}
