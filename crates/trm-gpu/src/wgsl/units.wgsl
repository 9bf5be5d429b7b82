// The units of a Sudoku of n digits with boxes of `height` × `width`; a token for each candidate,
// (row · n + column) · n + digit. Kinds: row, column, box, cell; n² units of each.

struct Params { rows: u32, first: u32, height: u32, width: u32, d: u32, factor: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<S>; // [rows, n³, d]
@group(0) @binding(1) var<storage, read_write> sums_0: array<S>; // [rows, n², d]
@group(0) @binding(2) var<storage, read_write> sums_1: array<S>;
@group(0) @binding(3) var<storage, read_write> sums_2: array<S>;
@group(0) @binding(4) var<storage, read_write> sums_3: array<S>;
@group(0) @binding(0) var<storage, read_write> own: array<S>;
@group(0) @binding(1) var<storage, read> said_0: array<S>;
@group(0) @binding(2) var<storage, read> said_1: array<S>;
@group(0) @binding(3) var<storage, read> said_2: array<S>;
@group(0) @binding(4) var<storage, read> said_3: array<S>;

// sums_kind[puzzle, unit, i] = factor · Σ over the unit's candidates
@compute @workgroup_size(GROUP)
fn sums(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group_number(group, groups) * GROUP + lane;
    let n = p.height * p.width;
    if at >= p.rows * n * n * p.d { return; }
    let i = at % p.d;
    let unit = at / p.d % (n * n);
    let start = at / (p.d * n * n) * n * n * n;
    let major = unit / n;
    let minor = unit % n; // the digit; of cells the column
    let in_row = n / p.width; // boxes
    var of_row = 0.0;
    var of_column = 0.0;
    var of_box = 0.0;
    var of_cell = 0.0;
    for (var j = 0u; j < n; j++) {
        let row = major / in_row * p.height + j / p.width;
        let column = major % in_row * p.width + j % p.width;
        of_row += f32(x[(start + (major * n + j) * n + minor) * p.d + i]);
        of_column += f32(x[(start + (j * n + major) * n + minor) * p.d + i]);
        of_box += f32(x[(start + (row * n + column) * n + minor) * p.d + i]);
        of_cell += f32(x[(start + unit * n + j) * p.d + i]);
    }
    sums_0[at] = S(p.factor * of_row);
    sums_1[at] = S(p.factor * of_column);
    sums_2[at] = S(p.factor * of_box);
    sums_3[at] = S(p.factor * of_cell);
}

// own[puzzle, candidate, i] += factor · Σ of what its four units say
@compute @workgroup_size(GROUP)
fn spread(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group_number(group, groups) * GROUP + lane;
    let n = p.height * p.width;
    if at >= p.rows * n * n * n * p.d { return; }
    let i = at % p.d;
    let candidate = at / p.d % (n * n * n);
    let start = at / (p.d * n * n * n) * n * n;
    let row = candidate / (n * n);
    let column = candidate / n % n;
    let digit = candidate % n;
    let in_box = row / p.height * p.height + column / p.width;
    let heard = f32(said_0[(start + row * n + digit) * p.d + i]) + f32(said_1[(start + column * n + digit) * p.d + i])
        + f32(said_2[(start + in_box * n + digit) * p.d + i]) + f32(said_3[(start + row * n + column) * p.d + i]);
    own[at] = S(f32(own[at]) + p.factor * heard);
}
