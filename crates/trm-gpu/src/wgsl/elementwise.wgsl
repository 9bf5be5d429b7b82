// Number by number. Every thread has one element i of rows · 1.

struct Params { rows: u32, first: u32, a: f32, b: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> in0: array<S>;
@group(0) @binding(1) var<storage, read> in1: array<S>;
@group(0) @binding(1) var<storage, read_write> out1: array<S>;
@group(0) @binding(2) var<storage, read_write> out2: array<S>;
@group(0) @binding(0) var<storage, read_write> own: array<S>;
@group(0) @binding(0) var<storage, read> f32_in: array<f32>;
@group(0) @binding(1) var<storage, read_write> f32_out: array<f32>;

fn element(group: vec3<u32>, groups: vec3<u32>, lane: u32) -> u32 {
    return group_number(group, groups) * GROUP + lane;
}

// out = in0 + in1
@compute @workgroup_size(GROUP)
fn add(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = element(group, groups, lane);
    if i < p.rows { out2[i] = S(f32(in0[i]) + f32(in1[i])); }
}

// out = a · in0 + b · in1
@compute @workgroup_size(GROUP)
fn combine(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = element(group, groups, lane);
    if i < p.rows { out2[i] = S(p.a * f32(in0[i]) + p.b * f32(in1[i])); }
}

// own = a · own + b · in0; sums, averages, steps of gradient descent
@compute @workgroup_size(GROUP)
fn blend(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = element(group, groups, lane);
    if i < p.rows { out1[i] = S(p.a * f32(out1[i]) + p.b * f32(in0[i])); }
}

// own = a · own
@compute @workgroup_size(GROUP)
fn scale(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = element(group, groups, lane);
    if i < p.rows { own[i] = S(p.a * f32(own[i])); }
}

// out2 = in0 · factor[0], of f32
@group(0) @binding(1) var<storage, read> factor: array<f32>;
@compute @workgroup_size(GROUP)
fn scale_by(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = element(group, groups, lane);
    if i < p.rows { out2[i] = S(f32(in0[i]) * factor[0]); }
}

// own = a
@compute @workgroup_size(GROUP)
fn fill(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = element(group, groups, lane);
    if i < p.rows { own[i] = S(p.a); }
}

// f32 in the format of storage
@compute @workgroup_size(GROUP)
fn store(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = element(group, groups, lane);
    if i < p.rows { out1[i] = S(f32_in[i]); }
}

// the format of storage in f32
@compute @workgroup_size(GROUP)
fn load(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = element(group, groups, lane);
    if i < p.rows { f32_out[i] = f32(in0[i]); }
}
