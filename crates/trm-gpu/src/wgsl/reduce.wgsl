// Sums with one order: a thread takes every PARTS-th term, then the parts are summed in their order.

struct Params { rows: u32, first: u32, len: u32, chunk: u32, parts: u32, started: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<S>;
@group(0) @binding(0) var<storage, read> parts: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(1) var<storage, read_write> places: array<u32>;

// out[i] = Σ_t x[i + t · parts]²
@compute @workgroup_size(GROUP)
fn squares(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * GROUP + lane;
    if i >= p.parts { return; }
    var sum = 0.0;
    for (var at = i; at < p.len; at += p.parts) {
        let value = f32(x[at]);
        sum += value * value;
    }
    out[i] = sum;
}

// places[i]: whether a value of x[i + t · parts] is no number, by its bits
@compute @workgroup_size(GROUP)
fn not_finite(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * GROUP + lane;
    if i >= p.parts { return; }
    var found = 0u;
    for (var at = i; at < p.len; at += p.parts) {
        if (bitcast<u32>(f32(x[at])) & 0x7f800000u) == 0x7f800000u { found = 1u; }
    }
    places[i] = found;
}

// out[0] = 1 / max(sqrt(Σ parts), 1e-30)
@compute @workgroup_size(1)
fn inverse_norm() {
    var sum = 0.0;
    for (var i = 0u; i < p.parts; i++) { sum += parts[i]; }
    out[0] = 1.0 / max(sqrt(sum), 1e-30);
}

// out[i] (+)= Σ_z parts[z, i], i < rows
@compute @workgroup_size(GROUP)
fn join(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * GROUP + lane;
    if i >= p.rows { return; }
    var sum = 0.0;
    if p.started != 0u { sum = out[i]; }
    for (var z = 0u; z < p.parts; z++) { sum += parts[z * p.len + i]; }
    out[i] = sum;
}

// out[z, j] = Σ of x[r, j] over the z-th chunk of the rows r; x [rows, len]
@compute @workgroup_size(GROUP)
fn columns(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * GROUP + lane;
    if i >= p.parts * p.len { return; }
    let first = i / p.len * p.chunk;
    let last = min(first + p.chunk, p.rows);
    var sum = 0.0;
    for (var r = first; r < last; r++) { sum += f32(x[r * p.len + i % p.len]); }
    out[i] = sum;
}

// places[r]: of the largest of x[r, ..], the first of equal ones; x [rows, len]
@compute @workgroup_size(GROUP)
fn argmax(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let r = group_number(group, groups) * GROUP + lane;
    if r >= p.rows { return; }
    var place = 0u;
    var most = f32(x[r * p.len]);
    for (var i = 1u; i < p.len; i++) {
        let value = f32(x[r * p.len + i]);
        if value > most {
            most = value;
            place = i;
        }
    }
    places[r] = place;
}
