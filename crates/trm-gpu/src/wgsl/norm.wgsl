// y = s · i with s = h + r, i = 1 / sqrt(mean(s²) + ε); backwards ds = i · (dy − y · mean(y · dy)).
// Over the features of a token: a group of threads for each. Over the tokens of a feature: a thread for each.

struct Params { rows: u32, first: u32, len: u32, d: u32, eps: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> h: array<S>; // backwards y
@group(0) @binding(1) var<storage, read> r: array<S>; // backwards dy
@group(0) @binding(2) var<storage, read_write> out: array<S>;
@group(0) @binding(3) var<storage, read_write> inverses: array<f32>;
@group(0) @binding(3) var<storage, read> known: array<f32>;

var<workgroup> shared_sums: array<f32, GROUP>;

// The sum of what all threads of a group have, in the order of the threads.
fn sum_of_group(lane: u32, mine: f32) -> f32 {
    shared_sums[lane] = mine;
    workgroupBarrier();
    var sum = 0.0;
    for (var i = 0u; i < GROUP; i++) { sum += shared_sums[i]; }
    return sum;
}

// h, r, out [rows, d]
@compute @workgroup_size(GROUP)
fn features(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group_number(group, groups);
    if row >= p.rows { return; }
    var squares = 0.0;
    for (var i = lane; i < p.d; i += GROUP) {
        let s = f32(h[row * p.d + i]) + f32(r[row * p.d + i]);
        squares += s * s;
    }
    let inverse = 1.0 / sqrt(sum_of_group(lane, squares) / f32(p.d) + p.eps);
    for (var i = lane; i < p.d; i += GROUP) {
        let at = row * p.d + i;
        out[at] = S((f32(h[at]) + f32(r[at])) * inverse);
    }
    if lane == 0u { inverses[row] = inverse; }
}

@compute @workgroup_size(GROUP)
fn features_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group_number(group, groups);
    if row >= p.rows { return; }
    var products = 0.0;
    for (var i = lane; i < p.d; i += GROUP) {
        products += f32(h[row * p.d + i]) * f32(r[row * p.d + i]);
    }
    let mean = sum_of_group(lane, products) / f32(p.d);
    for (var i = lane; i < p.d; i += GROUP) {
        let at = row * p.d + i;
        out[at] = S(known[row] * (f32(r[at]) - f32(h[at]) * mean));
    }
}

// h, r, out [rows, len, d]
@compute @workgroup_size(GROUP)
fn tokens(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let column = group_number(group, groups) * GROUP + lane;
    if column >= p.rows * p.d { return; }
    let start = column / p.d * p.len * p.d + column % p.d;
    var squares = 0.0;
    for (var t = 0u; t < p.len; t++) {
        let s = f32(h[start + t * p.d]) + f32(r[start + t * p.d]);
        squares += s * s;
    }
    let inverse = 1.0 / sqrt(squares / f32(p.len) + p.eps);
    for (var t = 0u; t < p.len; t++) {
        let at = start + t * p.d;
        out[at] = S((f32(h[at]) + f32(r[at])) * inverse);
    }
    inverses[column] = inverse;
}

@compute @workgroup_size(GROUP)
fn tokens_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let column = group_number(group, groups) * GROUP + lane;
    if column >= p.rows * p.d { return; }
    let start = column / p.d * p.len * p.d + column % p.d;
    var products = 0.0;
    for (var t = 0u; t < p.len; t++) {
        products += f32(h[start + t * p.d]) * f32(r[start + t * p.d]);
    }
    let mean = products / f32(p.len);
    for (var t = 0u; t < p.len; t++) {
        let at = start + t * p.d;
        out[at] = S(known[column] * (f32(r[at]) - f32(h[at]) * mean));
    }
}
