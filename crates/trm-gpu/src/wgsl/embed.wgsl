// x = scale · (concat(prefix, table[tokens]) + positions), [rows, prefix_len + cells, d], and gradients.

struct Params {
    rows: u32, first: u32, cells: u32, prefix_len: u32, d: u32, width: u32, origin: u32, scale: f32,
    vocab: u32, chunk: u32, parts: u32, started: u32,
}
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> tokens: array<u32>; // four to a word
@group(0) @binding(1) var<storage, read> table: array<f32>;
@group(0) @binding(2) var<storage, read> prefix: array<f32>; // [rows, width]
@group(0) @binding(3) var<storage, read> positions: array<f32>; // row `from` belongs to the first token
@group(0) @binding(4) var<storage, read_write> out: array<S>;
@group(0) @binding(1) var<storage, read> d_out: array<S>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;

fn token_of(cell: u32) -> u32 {
    return byte_of(tokens[cell / 4u], cell);
}

@compute @workgroup_size(GROUP)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group_number(group, groups) * GROUP + lane;
    let len = p.prefix_len + p.cells;
    if at >= p.rows * len * p.d { return; }
    let i = at % p.d;
    let place = at / p.d % len;
    let puzzle = at / (p.d * len);
    var value = 0.0;
    if place >= p.prefix_len {
        value = table[token_of((p.first + puzzle) * p.cells + place - p.prefix_len) * p.d + i];
    } else if PREFIX == 1u && place * p.d + i < p.width {
        value = prefix[puzzle * p.width + place * p.d + i];
    }
    if POSITIONS == 1u { value += positions[(p.origin + place) * p.d + i]; }
    out[at] = S(p.scale * value);
}

// sums[z, v, i] = scale · Σ of d_out over the cells of the z-th chunk of puzzles that have token v
@compute @workgroup_size(GROUP)
fn tokens_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group_number(group, groups) * GROUP + lane;
    if at >= p.parts * p.vocab * p.d { return; }
    let i = at % p.d;
    let token = at / p.d % p.vocab;
    let first = at / (p.d * p.vocab) * p.chunk;
    let last = min(first + p.chunk, p.rows);
    let len = p.prefix_len + p.cells;
    var sum = 0.0;
    for (var puzzle = first; puzzle < last; puzzle++) {
        for (var cell = 0u; cell < p.cells; cell++) {
            if token_of((p.first + puzzle) * p.cells + cell) == token {
                sum += f32(d_out[(puzzle * len + p.prefix_len + cell) * p.d + i]);
            }
        }
    }
    sums[at] = p.scale * sum;
}

// sums[place, i] (+)= scale · Σ_puzzles d_out, for the `vocab` places of the table
@compute @workgroup_size(GROUP)
fn positions_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group_number(group, groups) * GROUP + lane;
    if at >= p.vocab * p.d { return; }
    let place = at / p.d;
    let len = p.prefix_len + p.cells;
    var sum = 0.0;
    if place >= p.origin && place < p.origin + len {
        for (var puzzle = 0u; puzzle < p.rows; puzzle++) {
            sum += f32(d_out[(puzzle * len + place - p.origin) * p.d + at % p.d]);
        }
    }
    let before = select(0.0, sums[at], p.started == 1u);
    sums[at] = before + p.scale * sum;
}

// sums[puzzle, j] = scale · d_out[puzzle, j], j < width: the prefix lies first
@compute @workgroup_size(GROUP)
fn prefix_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group_number(group, groups) * GROUP + lane;
    if at >= p.rows * p.width { return; }
    let len = p.prefix_len + p.cells;
    sums[at] = p.scale * f32(d_out[at / p.width * len * p.d + at % p.width]);
}
