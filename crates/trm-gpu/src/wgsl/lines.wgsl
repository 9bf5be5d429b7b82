// What the lines of a grid say: the mean of their cells, then the largest. x [rows, cells, d], cells row by row.
// Of the rows of a grid (DOWN 0) or its columns (DOWN 1).

struct Params { rows: u32, first: u32, cells: u32, columns: u32, d: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<S>;
@group(0) @binding(1) var<storage, read_write> out: array<S>;
@group(0) @binding(1) var<storage, read> owed: array<S>; // [rows, lines, 2 d]
@group(0) @binding(1) var<storage, read> of_rows: array<S>;
@group(0) @binding(2) var<storage, read> of_columns: array<S>;
@group(0) @binding(2) var<storage, read_write> d_x: array<S>;
@group(0) @binding(3) var<storage, read_write> heard: array<S>;

fn lines() -> u32 { return select(p.cells / p.columns, p.columns, DOWN == 1u); }
fn members() -> u32 { return p.cells / lines(); }
fn line_of(cell: u32) -> u32 { return select(cell / p.columns, cell % p.columns, DOWN == 1u); }
fn member(line: u32, i: u32) -> u32 { return select(line * p.columns + i, i * p.columns + line, DOWN == 1u); }

@compute @workgroup_size(GROUP)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group_number(group, groups) * GROUP + lane;
    if at >= p.rows * lines() * p.d { return; }
    let line = at / p.d % lines();
    let start = at / (p.d * lines()) * p.cells;
    var sum = 0.0;
    var most = f32(x[(start + member(line, 0u)) * p.d + at % p.d]);
    for (var i = 0u; i < members(); i++) {
        let value = f32(x[(start + member(line, i)) * p.d + at % p.d]);
        sum += value;
        most = max(most, value);
    }
    let first = at / p.d * 2u * p.d + at % p.d;
    out[first] = S(sum / f32(members()));
    out[first + p.d] = S(most);
}

// The first of the largest of a line gets their gradient.
@compute @workgroup_size(GROUP)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group_number(group, groups) * GROUP + lane;
    if at >= p.rows * p.cells * p.d { return; }
    let cell = at / p.d % p.cells;
    let puzzle = at / (p.d * p.cells);
    let line = line_of(cell);
    var winner = member(line, 0u);
    var most = f32(x[(puzzle * p.cells + winner) * p.d + at % p.d]);
    for (var i = 1u; i < members(); i++) {
        let value = f32(x[(puzzle * p.cells + member(line, i)) * p.d + at % p.d]);
        if value > most {
            most = value;
            winner = member(line, i);
        }
    }
    let first = (puzzle * lines() + line) * 2u * p.d + at % p.d;
    d_x[at] = S(f32(owed[first]) / f32(members()) + select(0.0, f32(owed[first + p.d]), winner == cell));
}

// heard = x + its row's + its column's
@compute @workgroup_size(GROUP)
fn add(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group_number(group, groups) * GROUP + lane;
    if at >= p.rows * p.cells * p.d { return; }
    let i = at % p.d;
    let cell = at / p.d % p.cells;
    let puzzle = at / (p.d * p.cells);
    let row = f32(of_rows[(puzzle * (p.cells / p.columns) + cell / p.columns) * p.d + i]);
    let column = f32(of_columns[(puzzle * p.columns + cell % p.columns) * p.d + i]);
    heard[at] = S(f32(x[at]) + row + column);
}

// out[puzzle, line, i] = Σ x
@compute @workgroup_size(GROUP)
fn sum(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = group_number(group, groups) * GROUP + lane;
    if at >= p.rows * lines() * p.d { return; }
    var sum = 0.0;
    for (var i = 0u; i < members(); i++) {
        sum += f32(x[(at / (p.d * lines()) * p.cells + member(at / p.d % lines(), i)) * p.d + at % p.d]);
    }
    out[at] = S(sum);
}
