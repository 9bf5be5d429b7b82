//! What is served, in the words of OpenAPI.

use serde_json::{Value, json};

pub(super) fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "trm",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Tiny recursive models: a draft of the whole answer, revised step by step.",
        },
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas(),
        },
        "paths": {
            "/": {"get": operation("page", "The page on which models are watched", html())},
            "/health": {"get": operation("health", "Whether the server answers", json_of("Health"))},
            "/openapi.json": {"get": operation("openapi", "This document", anything())},
            "/metrics": {"get": guarded(operation("metrics", "Counters for Prometheus", text()))},
            "/v1/models": {"get": guarded(operation("models", "The models", json_of("Models")))},
            "/v1/solve": {"post": guarded(asking(
                operation("solve", "Answers to puzzles", answers()),
                "SolveRequest",
            ))},
            "/v1/chat/completions": {"post": guarded(asking(
                operation("chat", "The answer to the puzzle in the last message", anything()),
                "ChatRequest",
            ))},
        },
    })
}

fn operation(id: &str, summary: &str, content: Value) -> Value {
    json!({
        "operationId": id,
        "summary": summary,
        "responses": {"200": {"description": summary, "content": content}},
    })
}

/// Adds the body of a request, and how it can be refused.
fn asking(mut operation: Value, schema: &str) -> Value {
    operation["requestBody"] = json!({"required": true, "content": json_of(schema)});
    for (status, why) in [
        ("400", "the request broke off"),
        ("404", "no such model"),
        ("408", "the request did not arrive in time"),
        ("413", "the request is too large"),
        ("422", "the request asks for what cannot be done; the message says why"),
        ("429", "the queue is full; `Retry-After` says when to try again"),
        ("500", "the engine cannot go on"),
    ] {
        operation["responses"][status] = refusal(why);
    }
    operation
}

/// Asks for the key, where the server has one.
fn guarded(mut operation: Value) -> Value {
    operation["security"] = json!([{}, {"key": []}]);
    operation["responses"]["401"] = refusal("the key is missing or wrong");
    operation
}

fn refusal(why: &str) -> Value {
    json!({"description": why, "content": json_of("Refusal")})
}

fn json_of(schema: &str) -> Value {
    let schema = json!({"$ref": format!("#/components/schemas/{schema}")});
    json!({"application/json": {"schema": schema}})
}

fn anything() -> Value {
    json!({"application/json": {"schema": {"type": "object"}}})
}

fn html() -> Value {
    json!({"text/html": {"schema": {"type": "string"}}})
}

fn text() -> Value {
    json!({"application/openmetrics-text": {"schema": {"type": "string"}}})
}

fn answers() -> Value {
    let mut answers = json_of("SolveResponse");
    let events = "with `Accept: text/event-stream`: `draft` for every step or written cell, `chain` when one of a search ends, `answer` for every puzzle, then `end`; or `error`";
    answers["text/event-stream"] = json!({"schema": {"type": "string", "description": events}});
    answers
}

fn schemas() -> Value {
    let mut all = requests();
    let described = [("Draft", draft()), ("Answer", answer()), ("SolveResponse", response())];
    described.into_iter().for_each(|(name, schema)| all[name] = schema);
    all
}

fn requests() -> Value {
    json!({
        "Health": object(json!({"status": {"type": "string"}}), &["status"]),
        "Models": object(
            json!({
                "object": {"type": "string"},
                "data": {"type": "array", "items": {
                    "type": "object",
                    "required": ["id", "domain", "architecture"],
                }},
            }),
            &["object", "data"],
        ),
        "Refusal": object(
            json!({"error": object(
                json!({
                    "message": {"type": "string"},
                    "type": {"type": "string"},
                    "code": {"type": "integer"},
                }),
                &["message", "type", "code"],
            )}),
            &["error"],
        ),
        "Puzzle": {
            "oneOf": [{"type": "string"}, {"type": "array", "items": {
                "oneOf": [{"type": "string"}, {"type": "array", "items": {"type": ["integer", "string"]}}],
            }}],
        },
        "SolveRequest": closed(solve_request()),
        "ChatRequest": object(
            json!({
                "model": {"type": ["string", "null"]},
                "messages": {"type": "array", "minItems": 1, "items": object(
                    json!({"content": {"type": ["string", "array"]}}),
                    &["content"],
                )},
                "stream": {"type": "boolean"},
                "trm": {"$ref": "#/components/schemas/SolveRequest"},
            }),
            &["messages"],
        ),
    })
}

fn response() -> Value {
    object(
        json!({
            "model": {"type": "string"},
            "domain": {"type": "string"},
            "answers": {"type": "array", "items": {"$ref": "#/components/schemas/Answer"}},
            "seconds": {"type": "number"},
        }),
        &["model", "domain", "answers", "seconds"],
    )
}

fn draft() -> Value {
    object(
        json!({
            "chain": {"type": "integer"},
            "step": {"type": "integer"},
            "answer": {"type": "string"},
            "rows": {"type": "array", "items": {"type": "array", "items": {"type": "string"}}},
            "sureness": {"type": "array", "items": {"type": "number"}},
            "halt_probability": {"type": ["number", "null"]},
            "changed": {"type": "array", "items": {"type": "integer"}},
            "solved": {"type": ["boolean", "null"]},
        }),
        &["chain", "step", "answer", "halt_probability", "changed", "solved"],
    )
}

fn answer() -> Value {
    object(
        json!({
            "question": {"type": "string"},
            "answer": {"type": ["string", "null"]},
            "solved": {"type": ["boolean", "null"]},
            "verdict": {"type": "string"},
            "halt_probability": {"type": ["number", "null"]},
            "steps": {"type": "integer"},
            "verified": {"type": "boolean"},
            "chains": {"type": "integer"},
            "probability": {"type": "number"},
            "sample": {"type": "integer"},
            "drafts": {"type": "array", "items": {"$ref": "#/components/schemas/Draft"}},
        }),
        &["question", "answer", "solved", "verdict", "steps"],
    )
}

fn solve_request() -> Value {
    let puzzle = json!({"$ref": "#/components/schemas/Puzzle"});
    let count = json!({"type": ["integer", "null"], "minimum": 1});
    let sigma = json!({"type": ["number", "null"], "minimum": 0});
    let search = closed(object(
        json!({
            "rollouts": count,
            "noise": sigma,
            "restart": sigma,
            "symmetries": {"type": ["boolean", "null"]},
            "patience": {"type": ["integer", "null"], "minimum": 0},
            "seed": {"type": ["integer", "null"], "minimum": 0},
            "milliseconds": {"type": ["integer", "null"], "minimum": 0},
        }),
        &[],
    ));
    let write = closed(object(
        json!({
            "samples": count,
            "temperature": {"type": ["number", "null"], "exclusiveMinimum": 0},
            "seed": {"type": ["integer", "null"], "minimum": 0},
        }),
        &[],
    ));
    object(
        json!({
            "model": {"type": ["string", "null"]},
            "puzzle": puzzle,
            "puzzles": {"type": "array", "minItems": 1, "items": puzzle},
            "identifier": {"type": "integer", "minimum": 0},
            "steps": count,
            "halt": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 1},
            "one_pass": {"type": "boolean"},
            "search": {"anyOf": [search, {"type": "null"}]},
            "write": {"anyOf": [write, {"type": "null"}]},
            "drafts": {"enum": ["last", "all"]},
        }),
        &[],
    )
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required})
}

/// An object without other keys.
fn closed(mut object: Value) -> Value {
    object["additionalProperties"] = false.into();
    object
}
