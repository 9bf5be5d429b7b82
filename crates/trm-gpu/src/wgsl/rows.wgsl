// Rows, the parts of a tensor along its first dimension, and what is copied.

struct Params { rows: u32, first: u32, len: u32, origin: u32, count: u32, other: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<S>;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<S>;
@group(0) @binding(0) var<storage, read> terms: array<f32>;
@group(0) @binding(1) var<storage, read_write> changed: array<S>;

// out[r, i] = x[ids[r], i], for ids in origin .. origin + count: those rows of a table that are seen. len: of a row.
@compute @workgroup_size(GROUP)
fn gather(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group_number(group, groups) * GROUP + lane;
    if at >= p.rows * p.len { return; }
    let id = ids[p.first + at / p.len];
    if id < p.origin || id >= p.origin + p.count { return; }
    out[at] = x[(id - p.origin) * p.len + at % p.len];
}

// changed[origin + i] = x[count + i] for i < rows
@compute @workgroup_size(GROUP)
fn copy(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * GROUP + lane;
    if i < p.rows { changed[p.origin + i] = x[p.count + i]; }
}

// changed[origin + i] = terms[i mod len]: a row filled with what is repeated
@compute @workgroup_size(GROUP)
fn fill_row(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * GROUP + lane;
    if i < p.rows { changed[p.origin + i] = S(terms[i % p.len]); }
}

// changed[origin + i] += terms[i]
@compute @workgroup_size(GROUP)
fn add_to_row(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * GROUP + lane;
    if i < p.rows { changed[p.origin + i] = S(f32(changed[p.origin + i]) + terms[i]); }
}

// New tokens of every puzzle behind those that it has: changed[b, origin + t, i] = x[b, t, column + i], for tokens t of
// `stride` numbers, of which `width` are copied; a puzzle has room for `capacity` tokens.
struct Append { rows: u32, first: u32, tokens: u32, stride: u32, column: u32, width: u32, capacity: u32, origin: u32 }
var<immediate> q: Append;

@compute @workgroup_size(GROUP)
fn append(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group_number(group, groups) * GROUP + lane;
    if at >= q.rows * q.tokens * q.width { return; }
    let i = at % q.width;
    let token = at / q.width % q.tokens;
    let row = at / (q.width * q.tokens);
    changed[(row * q.capacity + q.origin + token) * q.width + i] = x[(row * q.tokens + token) * q.stride + q.column + i];
}
