// What every token hears: itself, the cells above, below, left and right, the mean of all cells, that of the prefix.
// h [rows, prefix + cells, d]; out [rows, prefix + cells, 5 + kinds, d]; a kind is the cells (0) or the prefix (1).

struct Params { rows: u32, first: u32, prefix: u32, cells: u32, columns: u32, d: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<S>;
@group(0) @binding(1) var<storage, read_write> means: array<f32>; // [rows, kinds, d]
@group(0) @binding(1) var<storage, read> known: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<S>;

fn kinds() -> u32 { return select(1u, 2u, p.prefix > 0u); }
fn tokens_of(kind: u32) -> u32 { return select(p.cells, p.prefix, kind == 1u); }
fn first_of(kind: u32) -> u32 { return select(p.prefix, 0u, kind == 1u); }

// The token in a direction (1 above, 2 below, 3 left, 4 right) of a token; `nobody()` where there is none.
fn nobody() -> u32 { return 0xffffffffu; }
fn beside(token: u32, way: u32) -> u32 {
    if way == 0u { return token; }
    if token < p.prefix { return nobody(); }
    let cell = token - p.prefix;
    let column = cell % p.columns;
    if way == 1u && cell >= p.columns { return token - p.columns; }
    if way == 2u && cell + p.columns < p.cells { return token + p.columns; }
    if way == 3u && column > 0u { return token - 1u; }
    if way == 4u && column + 1u < p.columns { return token + 1u; }
    return nobody();
}

// The mean of a kind.
@compute @workgroup_size(GROUP)
fn mean(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group_number(group, groups) * GROUP + lane;
    if at >= p.rows * kinds() * p.d { return; }
    let kind = at / p.d % kinds();
    let start = (at / (p.d * kinds()) * (p.prefix + p.cells) + first_of(kind)) * p.d + at % p.d;
    var sum = 0.0;
    for (var t = 0u; t < tokens_of(kind); t++) { sum += f32(x[start + t * p.d]); }
    means[at] = sum / f32(tokens_of(kind));
}

@compute @workgroup_size(GROUP)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group_number(group, groups) * GROUP + lane;
    let parts = 5u + kinds();
    let len = p.prefix + p.cells;
    if at >= p.rows * len * parts * p.d { return; }
    let i = at % p.d;
    let part = at / p.d % parts;
    let token = at / (p.d * parts) % len;
    let puzzle = at / (p.d * parts * len);
    var value = 0.0;
    if part >= 5u {
        value = known[(puzzle * kinds() + part - 5u) * p.d + i];
    } else {
        let other = beside(token, part);
        if other != nobody() { value = f32(x[(puzzle * len + other) * p.d + i]); }
    }
    out[at] = S(value);
}

// What all tokens owe to a mean, over how many share it. x is the gradient of what was heard.
@compute @workgroup_size(GROUP)
fn owed(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group_number(group, groups) * GROUP + lane;
    if at >= p.rows * kinds() * p.d { return; }
    let kind = at / p.d % kinds();
    let parts = 5u + kinds();
    let len = p.prefix + p.cells;
    var sum = 0.0;
    for (var t = 0u; t < len; t++) {
        sum += f32(x[((at / (p.d * kinds()) * len + t) * parts + 5u + kind) * p.d + at % p.d]);
    }
    means[at] = sum / f32(tokens_of(kind));
}

@compute @workgroup_size(GROUP)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group_number(group, groups) * GROUP + lane;
    let parts = 5u + kinds();
    let len = p.prefix + p.cells;
    if at >= p.rows * len * p.d { return; }
    let i = at % p.d;
    let token = at / p.d % len;
    let puzzle = at / (p.d * len);
    var sum = 0.0;
    for (var part = 0u; part < 5u; part++) {
        // who hears this token in a direction lies in the other one: 1 and 2, 3 and 4
        let back = select(((part + 1u) ^ 1u) - 1u, 0u, part == 0u);
        let other = beside(token, back);
        if other != nobody() { sum += f32(x[((puzzle * len + other) * parts + part) * p.d + i]); }
    }
    let kind = select(0u, 1u, token < p.prefix);
    out[at] = S(sum + known[(puzzle * kinds() + kind) * p.d + i]);
}
