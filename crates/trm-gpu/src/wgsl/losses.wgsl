// Losses, in f32. logits [rows, cells, vocab]; labels four to a word, for all puzzles; p.first is the launch's first.

struct Params { rows: u32, first: u32, cells: u32, vocab: u32, ignored: u32, smoothing: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<storage, read> d_out: array<f32>;
@group(0) @binding(3) var<storage, read_write> d_logits: array<f32>;
@group(0) @binding(0) var<storage, read> of_cells: array<f32>;

fn label_of(cell: u32) -> u32 {
    return byte_of(labels[cell / 4u], cell);
}

// s(x) for SOFTMAX 1 or stablemax 0, and s′ / s.
fn score(x: f32, largest: f32) -> vec2<f32> {
    if SOFTMAX == 1u { return vec2(exp(x - largest), 1.0); }
    if x >= 0.0 { return vec2(x + 1.0, 1.0 / (x + 1.0)); }
    return vec2(1.0 / (1.0 - x), 1.0 / (1.0 - x));
}

fn log_score(x: f32, largest: f32) -> f32 {
    if SOFTMAX == 1u { return x - largest; }
    if x >= 0.0 { return log(x + 1.0); }
    return -log(1.0 - x);
}

// The largest logit and the sum of all scores of a cell.
fn row_of(cell: u32) -> vec2<f32> {
    var largest = logits[cell * p.vocab];
    for (var t = 1u; t < p.vocab; t++) { largest = max(largest, logits[cell * p.vocab + t]); }
    var sum = 0.0;
    for (var t = 0u; t < p.vocab; t++) { sum += score(logits[cell * p.vocab + t], largest).x; }
    return vec2(largest, sum);
}

// What of the target lies on a token.
fn target_of(label: u32, token: u32) -> f32 {
    return select(0.0, 1.0 - p.smoothing, label == token) + p.smoothing / f32(p.vocab);
}

// out[cell] = −Σ target · ln p, 0 for ignored cells
@compute @workgroup_size(GROUP)
fn cells(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let cell = group_number(group, groups) * GROUP + lane;
    if cell >= p.rows * p.cells { return; }
    let label = label_of(p.first * p.cells + cell);
    var loss = 0.0;
    if label != p.ignored {
        let row = row_of(cell);
        for (var t = 0u; t < p.vocab; t++) {
            let wanted = target_of(label, t);
            if wanted > 0.0 { loss -= wanted * (log_score(logits[cell * p.vocab + t], row.x) - log(row.y)); }
        }
    }
    out[cell] = loss;
}

fn labelled(puzzle: u32) -> f32 {
    var count = 0u;
    for (var c = 0u; c < p.cells; c++) {
        if label_of((p.first + puzzle) * p.cells + c) != p.ignored { count += 1u; }
    }
    return f32(max(count, 1u));
}

// out[puzzle]: the mean over its labelled cells
@compute @workgroup_size(GROUP)
fn puzzles(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let puzzle = group_number(group, groups) * GROUP + lane;
    if puzzle >= p.rows { return; }
    var sum = 0.0;
    for (var c = 0u; c < p.cells; c++) { sum += of_cells[puzzle * p.cells + c]; }
    out[puzzle] = sum / labelled(puzzle);
}

// d_logits = d_out / labelled · s′/s · (p − target)
@compute @workgroup_size(GROUP)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let cell = group_number(group, groups) * GROUP + lane;
    if cell >= p.rows * p.cells { return; }
    let label = label_of(p.first * p.cells + cell);
    let puzzle = cell / p.cells;
    let row = row_of(cell);
    let share = select(d_out[puzzle] / labelled(puzzle), 0.0, label == p.ignored);
    for (var t = 0u; t < p.vocab; t++) {
        let s = score(logits[cell * p.vocab + t], row.x);
        d_logits[cell * p.vocab + t] = share * s.y * (s.x / row.y - target_of(label, t));
    }
}

// out[puzzle] = 1 if the largest logit of each labelled cell is its label's, and there is one; otherwise 0
@compute @workgroup_size(GROUP)
fn exact(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let puzzle = group_number(group, groups) * GROUP + lane;
    if puzzle >= p.rows { return; }
    var seen = false;
    var right = true;
    for (var c = 0u; c < p.cells && right; c++) {
        let label = label_of((p.first + puzzle) * p.cells + c);
        if label == p.ignored { continue; }
        seen = true;
        let start = (puzzle * p.cells + c) * p.vocab;
        var place = 0u;
        for (var t = 1u; t < p.vocab; t++) {
            if logits[start + t] > logits[start + place] { place = t; }
        }
        right = place == label;
    }
    out[puzzle] = select(0.0, 1.0, seen && right);
}

// Halting: logits [rows, 2], of which the first counts; its target t. max(q, 0) − q t + ln(1 + e^−|q|)
@group(0) @binding(1) var<storage, read> correct: array<f32>;

@compute @workgroup_size(GROUP)
fn halt(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group_number(group, groups) * GROUP + lane;
    if row >= p.rows { return; }
    let q = logits[2u * row];
    let small = exp(-abs(q));
    // ln(1 + x) of small x by its series: 1 + x has lost them
    let tail = select(log(1.0 + small), small * (1.0 - small * (0.5 - small / 3.0)), small < 0.01);
    out[row] = max(q, 0.0) - q * correct[row] + tail;
}

@compute @workgroup_size(GROUP)
fn halt_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group_number(group, groups) * GROUP + lane;
    if row >= p.rows { return; }
    d_logits[2u * row] = (sigmoid(logits[2u * row]) - correct[row]) * d_out[row];
    d_logits[2u * row + 1u] = 0.0;
}
