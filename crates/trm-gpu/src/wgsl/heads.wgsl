// What the heads read, and how scores become logits. h [rows, len, d].

struct Params { rows: u32, first: u32, len: u32, d: u32, origin: u32, count: u32, value: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> h: array<S>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(0) var<storage, read> d_out: array<f32>;
@group(0) @binding(1) var<storage, read_write> d_h: array<S>;

// out[b, t, i] = h[b, origin + t, i], t < count
@compute @workgroup_size(GROUP)
fn tokens(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group_number(group, groups) * GROUP + lane;
    if at >= p.rows * p.count * p.d { return; }
    let row = at / (p.count * p.d) * p.len + p.origin + at / p.d % p.count;
    out[at] = f32(h[row * p.d + at % p.d]);
}

@compute @workgroup_size(GROUP)
fn tokens_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group_number(group, groups) * GROUP + lane;
    if at >= p.rows * p.len * p.d { return; }
    let token = at / p.d % p.len;
    var value = 0.0;
    if token >= p.origin && token < p.origin + p.count {
        value = d_out[(at / (p.len * p.d) * p.count + token - p.origin) * p.d + at % p.d];
    }
    d_h[at] = S(value);
}

// out[b, 0, i] = mean over the tokens
@compute @workgroup_size(GROUP)
fn mean(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group_number(group, groups) * GROUP + lane;
    if at >= p.rows * p.d { return; }
    var sum = 0.0;
    for (var t = 0u; t < p.len; t++) { sum += f32(h[(at / p.d * p.len + t) * p.d + at % p.d]); }
    out[at] = sum / f32(p.len);
}

@compute @workgroup_size(GROUP)
fn mean_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group_number(group, groups) * GROUP + lane;
    if at >= p.rows * p.len * p.d { return; }
    d_h[at] = S(d_out[at / (p.len * p.d) * p.d + at % p.d] / f32(p.len));
}

// Of every cell `d` logits: the last `count` are its scores, the others `value`. rows: cells.
@compute @workgroup_size(GROUP)
fn symbols(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group_number(group, groups) * GROUP + lane;
    if at >= p.rows * p.d { return; }
    let token = at % p.d;
    var value = p.value;
    if token >= p.d - p.count { value = f32(h[at / p.d * p.count + token + p.count - p.d]); }
    out[at] = value;
}

@compute @workgroup_size(GROUP)
fn symbols_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group_number(group, groups) * GROUP + lane;
    if at >= p.rows * p.count { return; }
    d_h[at] = S(d_out[at / p.count * p.d + p.d - p.count + at % p.count]);
}
