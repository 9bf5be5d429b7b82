//! What the server says of itself is what it does.

use super::{PUZZLES, Running};
use serde_json::{Value, json};
use trm_serve::Settings;

/// Panics unless a value is as the document's schema of this name says.
fn check(document: &Value, name: &str, value: &Value) {
    let schema = json!({
        "$ref": format!("#/components/schemas/{name}"),
        "components": document["components"],
    });
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(faults.is_empty(), "{name}: {faults:?} in {value}");
}

#[test]
fn the_document_names_what_is_served_and_how_it_looks() {
    let server = Running::new(Settings::default());
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let document = parse(&server.get("/openapi.json").1);
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let (status, text) = match &method[..] {
                "get" => server.get(path),
                _ => server.post(path, "{}"),
            };
            let expected = document["paths"][path][method]["responses"].as_object().unwrap();
            assert!(expected.contains_key(&status.to_string()), "{method} {path}: {status} {text}");
        }
    }
    check(&document, "Health", &parse(&server.get("/health").1));
    check(&document, "Models", &parse(&server.get("/v1/models").1));
    check(&document, "Refusal", &parse(&server.get("/nothing").1));
    for request in [
        json!({"puzzle": PUZZLES[0], "drafts": "all", "search": {"rollouts": 2, "seed": 3}}),
        json!({"puzzles": [[[1, 0, 0, 0], "..3.", ".4..", "...2"]], "one_pass": true, "steps": 2}),
    ] {
        check(&document, "SolveRequest", &request);
        check(&document, "SolveResponse", &server.json("/v1/solve", &request.to_string()));
    }
    let wrong = json!({"puzzle": PUZZLES[0], "step": 1});
    let closed =
        json!({"$ref": "#/components/schemas/SolveRequest", "components": document["components"]});
    assert!(!jsonschema::is_valid(&closed, &wrong), "other keys are refused by both");
}

#[test]
fn the_page_is_one_small_file_that_asks_nobody_else() {
    let server = Running::new(Settings::default());
    let (status, page) = server.get("/");
    assert_eq!(status, 200);
    assert!(page.len() < 60_000, "{} bytes", page.len());
    for outside in ["http://", "https://", "src=\"", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
}
