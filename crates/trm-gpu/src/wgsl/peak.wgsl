// How fast the device is at best: multiply-adds in registers, and copies.

struct Params { rows: u32, first: u32, rounds: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;

// 16 vectors of 4, each multiplied and added to `rounds` times: 2 · 64 · rounds operations of every thread.
@compute @workgroup_size(GROUP)
fn multiply_add(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * GROUP + lane;
    let factor = vec4<f32>(0.999 + f32(i % 2u) * 1e-6);
    let term = vec4<f32>(1e-3);
    var s: array<vec4<f32>, 16>;
    for (var k = 0u; k < 16u; k++) { s[k] = vec4<f32>(f32(k + lane)); }
    for (var round = 0u; round < p.rounds; round++) {
        s[0] = fma(s[0], factor, term);   s[1] = fma(s[1], factor, term);
        s[2] = fma(s[2], factor, term);   s[3] = fma(s[3], factor, term);
        s[4] = fma(s[4], factor, term);   s[5] = fma(s[5], factor, term);
        s[6] = fma(s[6], factor, term);   s[7] = fma(s[7], factor, term);
        s[8] = fma(s[8], factor, term);   s[9] = fma(s[9], factor, term);
        s[10] = fma(s[10], factor, term); s[11] = fma(s[11], factor, term);
        s[12] = fma(s[12], factor, term); s[13] = fma(s[13], factor, term);
        s[14] = fma(s[14], factor, term); s[15] = fma(s[15], factor, term);
    }
    var sum = vec4<f32>();
    for (var k = 0u; k < 16u; k++) { sum += s[k]; }
    if i < p.rows { out[i] = sum.x + sum.y + sum.z + sum.w; }
}

// y = x, of rows vectors
@compute @workgroup_size(GROUP)
fn copy(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * GROUP + lane;
    if i < p.rows { y[i] = x[i]; }
}
