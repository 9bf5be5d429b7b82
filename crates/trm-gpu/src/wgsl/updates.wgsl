// Updates of parameters in place, in f32.

struct Params {
    rows: u32, first: u32, lr: f32, beta1: f32, beta2: f32, keep: f32, c1: f32, c2: f32,
}
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> g: array<f32>;
@group(0) @binding(1) var<storage, read_write> value: array<f32>;
@group(0) @binding(2) var<storage, read_write> m: array<f32>;
@group(0) @binding(3) var<storage, read_write> v: array<f32>;

// atan2(y, x) for x >= 0, to a unit or two in the last place: devices may be off by 4096 units with their own. The
// polynomial is that of the Cephes library (atanf).
fn angle(y: f32, x: f32) -> f32 {
    if y == 0.0 { return 0.0; }
    let tangent = abs(y) / x;
    var start = 0.0;
    var t = tangent;
    if tangent > 2.414213562 {
        start = 1.570796327;
        t = -1.0 / tangent;
    } else if tangent > 0.414213562 {
        start = 0.785398163;
        t = (tangent - 1.0) / (tangent + 1.0);
    }
    let z = t * t;
    let rest = ((8.05374449538e-2 * z - 1.38776856032e-1) * z + 1.99777106478e-1) * z - 3.33329491539e-1;
    return sign(y) * (start + (rest * z * t + t));
}

// m = β₁ m + (1 − β₁) g, v = β₂ v + (1 − β₂) g²; then by RULE
//   0 AdamATan2: value = keep · value − lr / c1 · atan2(m, sqrt(v / c2))
//   1 AdamW:     value = keep · value − lr · (m / c1) / (sqrt(v / c2) + 1e-8)
@compute @workgroup_size(GROUP)
fn adam(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * GROUP + lane;
    if i >= p.rows { return; }
    m[i] = p.beta1 * m[i] + (1.0 - p.beta1) * g[i];
    v[i] = p.beta2 * v[i] + (1.0 - p.beta2) * g[i] * g[i];
    let root = sqrt(v[i] / p.c2);
    var step = m[i] / p.c1 / (root + 1e-8);
    if RULE == 0u { step = angle(m[i], root) / p.c1; }
    value[i] = p.keep * value[i] - p.lr * step;
}

// Rows of a table by signs: row ids[r] by the sign of the sum of the rows places[from[r] .. from[r + 1]] of g.
// Those rows of the table are seen that lie in window .. window + count.
struct Signs { rows: u32, first: u32, width: u32, window: u32, count: u32, rate: f32, keep: f32 }
var<immediate> q: Signs;

@group(0) @binding(2) var<storage, read> ids: array<u32>;
@group(0) @binding(3) var<storage, read> from_of: array<u32>;
@group(0) @binding(4) var<storage, read> places: array<u32>;

@compute @workgroup_size(GROUP)
fn sign_rows(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group_number(group, groups) * GROUP + lane;
    if at >= q.rows * q.width { return; }
    let r = at / q.width;
    let i = at % q.width;
    if ids[r] < q.window || ids[r] >= q.window + q.count { return; }
    var sum = 0.0;
    for (var t = from_of[r]; t < from_of[r + 1u]; t++) { sum += g[places[t] * q.width + i]; }
    let place = (ids[r] - q.window) * q.width + i;
    value[place] = q.keep * value[place] - q.rate * sign(sum);
}
