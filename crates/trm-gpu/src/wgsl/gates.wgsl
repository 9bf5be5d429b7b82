// act = silu(g) ∘ u and its gradient. pre [rows, 2, len]: g, then u; act [rows, len].
// Of features, len is I; of tokens, I · D.

struct Params { rows: u32, first: u32, len: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> pre: array<S>;
@group(0) @binding(1) var<storage, read_write> act: array<S>;
@group(0) @binding(2) var<storage, read> d_act: array<S>;
@group(0) @binding(3) var<storage, read_write> d_pre: array<S>;

// d_g = d · u · σ(g) (1 + g (1 − σ(g))), d_u = d · g · σ(g); act once more, for the gradient of the weights.
@compute @workgroup_size(GROUP)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * GROUP + lane;
    if i >= p.rows * p.len { return; }
    let first = i / p.len * 2u * p.len + i % p.len;
    let g = f32(pre[first]);
    let u = f32(pre[first + p.len]);
    let d = f32(d_act[i]);
    let s = sigmoid(g);
    act[i] = S(g * s * u);
    d_pre[first] = S(d * u * (s * (1.0 + g * (1.0 - s))));
    d_pre[first + p.len] = S(d * g * s);
}
