// With P = e^(score − ln Σ), dP = dO · vᵀ and δ = Σ_e dO · O: dS = P ∘ (dP − δ), dq = dS · k · scale,
// dk = dSᵀ · q · scale, dv = Pᵀ · dO. Two programs, one for each side; both compute P again, and write no score.
// Rows of qkv and its gradient: all queries, keys, values, head after head.

struct Params { rows: u32, first: u32, len: u32, heads: u32, scale: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> qkv: array<S>;
@group(0) @binding(1) var<storage, read> turns: array<f32>; // [token, cos then sin, WIDTH / 2]
@group(0) @binding(2) var<storage, read> d_out: array<S>;
@group(0) @binding(3) var<storage, read> out: array<f32>;
@group(0) @binding(4) var<storage, read_write> stats: array<f32>; // [puzzle, head, token, 2]: ln Σ, then δ
@group(0) @binding(5) var<storage, read_write> d_qkv: array<S>;

var<workgroup> mine: array<f32, TILE * WIDTH>;   // queries; keys
var<workgroup> mine_2: array<f32, TILE * WIDTH>; // their dO; values
var<workgroup> other: array<f32, TILE * WIDTH>;
var<workgroup> other_2: array<f32, TILE * WIDTH>;
var<workgroup> ds: array<f32, TILE * TILE>;
var<workgroup> ps: array<f32, TILE * TILE>;
var<workgroup> known: array<vec2<f32>, TILE>; // ln Σ and δ

const PART = (WIDTH + ACROSS - 1u) / ACROSS;
const THREADS = TILE * ACROSS;

fn turned(value: f32, partner: f32, token: u32, e: u32, way: f32) -> f32 {
    if ROPE == 0u { return value; }
    let half = WIDTH / 2u;
    let cosine = turns[token * WIDTH + e % half];
    let sine = way * turns[token * WIDTH + half + e % half];
    return value * cosine + partner * select(sine, -sine, e < half);
}

fn partner(e: u32) -> u32 {
    return (e + WIDTH / 2u) % WIDTH;
}

// A number of the queries (part 0), keys (1) or values (2), turned; 0 beyond the last token.
fn number_of(puzzle: u32, head: u32, part: u32, token: u32, e: u32) -> f32 {
    if token >= p.len { return 0.0; }
    let start = ((puzzle * p.len + token) * 3u + part) * p.heads * WIDTH + head * WIDTH;
    let value = f32(qkv[start + e]);
    if part == 2u { return value; }
    return turned(value, f32(qkv[start + partner(e)]), token, e, 1.0);
}

fn d_number(puzzle: u32, head: u32, token: u32, e: u32) -> f32 {
    if token >= p.len { return 0.0; }
    return f32(d_out[(puzzle * p.len + token) * p.heads * WIDTH + head * WIDTH + e]);
}

fn stat_at(puzzle: u32, head: u32, token: u32) -> u32 {
    return 2u * ((puzzle * p.heads + head) * p.len + token);
}

struct Place { puzzle: u32, head: u32, block: u32, row: u32, column: u32 }

fn place(group: vec3<u32>, groups: vec3<u32>, lane: u32) -> Place {
    let blocks = (p.len + TILE - 1u) / TILE;
    let number = group_number(group, groups);
    return Place(number / (blocks * p.heads), number / blocks % p.heads, number % blocks, lane / ACROSS, lane % ACROSS);
}

@compute @workgroup_size(TILE * ACROSS)
fn queries(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = place(group, groups, lane);
    if at.puzzle >= p.rows { return; }
    let token = at.block * TILE + at.row;
    for (var i = lane; i < TILE * WIDTH; i += THREADS) {
        mine[i] = number_of(at.puzzle, at.head, 0u, at.block * TILE + i / WIDTH, i % WIDTH) * p.scale;
        mine_2[i] = d_number(at.puzzle, at.head, at.block * TILE + i / WIDTH, i % WIDTH);
    }
    workgroupBarrier();
    var delta = 0.0;
    var total = 0.0;
    if token < p.len {
        let start = (at.puzzle * p.len + token) * p.heads * WIDTH + at.head * WIDTH;
        for (var e = 0u; e < WIDTH; e++) { delta += mine_2[at.row * WIDTH + e] * out[start + e]; }
        total = stats[stat_at(at.puzzle, at.head, token)];
        if at.column == 0u { stats[stat_at(at.puzzle, at.head, token) + 1u] = delta; }
    }
    var sums: array<f32, PART>;
    for (var i = 0u; i < PART; i++) { sums[i] = 0.0; }
    let visible = select(p.len, min(p.len, token + 1u), CAUSAL == 1u);
    let seen = select(p.len, min(p.len, (at.block + 1u) * TILE), CAUSAL == 1u);
    for (var first = 0u; first < seen; first += TILE) {
        workgroupBarrier();
        for (var i = lane; i < TILE * WIDTH; i += THREADS) {
            other[i] = number_of(at.puzzle, at.head, 1u, first + i / WIDTH, i % WIDTH);
            other_2[i] = number_of(at.puzzle, at.head, 2u, first + i / WIDTH, i % WIDTH);
        }
        workgroupBarrier();
        for (var j = at.column; j < TILE; j += ACROSS) {
            var score = 0.0;
            var dp = 0.0;
            for (var e = 0u; e < WIDTH; e++) {
                score += mine[at.row * WIDTH + e] * other[j * WIDTH + e];
                dp += mine_2[at.row * WIDTH + e] * other_2[j * WIDTH + e];
            }
            ds[at.row * TILE + j] = select(0.0, exp(min(score - total, 0.0)) * (dp - delta), first + j < visible);
        }
        workgroupBarrier();
        for (var j = 0u; j < TILE; j++) {
            let weight = ds[at.row * TILE + j];
            for (var i = 0u; i < PART; i++) {
                let e = at.column + i * ACROSS;
                if e < WIDTH { sums[i] += weight * other[j * WIDTH + e]; }
            }
        }
    }
    workgroupBarrier();
    for (var i = 0u; i < PART; i++) {
        let e = at.column + i * ACROSS;
        if e < WIDTH { other[at.row * WIDTH + e] = sums[i] * p.scale; }
    }
    workgroupBarrier();
    give(at.puzzle, at.head, 0u, at.block, lane);
}

// Writes what is in `other`, turned back, to the queries (part 0) or keys (1) of a block.
fn give(puzzle: u32, head: u32, part: u32, block: u32, lane: u32) {
    for (var i = lane; i < TILE * WIDTH; i += THREADS) {
        let token = block * TILE + i / WIDTH;
        let e = i % WIDTH;
        if token >= p.len { continue; }
        let value = turned(other[i], other[i - e + partner(e)], token, e, -1.0);
        d_qkv[((puzzle * p.len + token) * 3u + part) * p.heads * WIDTH + head * WIDTH + e] = S(value);
    }
}

@compute @workgroup_size(TILE * ACROSS)
fn keys(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = place(group, groups, lane);
    if at.puzzle >= p.rows { return; }
    let token = at.block * TILE + at.row;
    for (var i = lane; i < TILE * WIDTH; i += THREADS) {
        mine[i] = number_of(at.puzzle, at.head, 1u, at.block * TILE + i / WIDTH, i % WIDTH);
        mine_2[i] = number_of(at.puzzle, at.head, 2u, at.block * TILE + i / WIDTH, i % WIDTH);
    }
    var d_key: array<f32, PART>;
    var d_value: array<f32, PART>;
    for (var i = 0u; i < PART; i++) {
        d_key[i] = 0.0;
        d_value[i] = 0.0;
    }
    let origin = select(0u, at.block * TILE, CAUSAL == 1u);
    for (var first = origin; first < p.len; first += TILE) {
        workgroupBarrier();
        for (var i = lane; i < TILE * WIDTH; i += THREADS) {
            other[i] = number_of(at.puzzle, at.head, 0u, first + i / WIDTH, i % WIDTH) * p.scale;
            other_2[i] = d_number(at.puzzle, at.head, first + i / WIDTH, i % WIDTH);
        }
        for (var i = lane; i < TILE; i += THREADS) {
            known[i] = vec2<f32>();
            if first + i < p.len {
                let stat = stat_at(at.puzzle, at.head, first + i);
                known[i] = vec2<f32>(stats[stat], stats[stat + 1u]);
            }
        }
        workgroupBarrier();
        for (var j = at.column; j < TILE; j += ACROSS) {
            var score = 0.0;
            var dp = 0.0;
            for (var e = 0u; e < WIDTH; e++) {
                score += other[j * WIDTH + e] * mine[at.row * WIDTH + e];
                dp += other_2[j * WIDTH + e] * mine_2[at.row * WIDTH + e];
            }
            let query = first + j;
            let sees = query < p.len && token < p.len && (CAUSAL == 0u || token <= query);
            let weight = select(0.0, exp(min(score - known[j].x, 0.0)), sees);
            ps[at.row * TILE + j] = weight;
            ds[at.row * TILE + j] = weight * (dp - known[j].y);
        }
        workgroupBarrier();
        for (var j = 0u; j < TILE; j++) {
            let weight = ps[at.row * TILE + j];
            let slope = ds[at.row * TILE + j];
            for (var i = 0u; i < PART; i++) {
                let e = at.column + i * ACROSS;
                if e < WIDTH {
                    d_value[i] += weight * other_2[j * WIDTH + e];
                    d_key[i] += slope * other[j * WIDTH + e];
                }
            }
        }
    }
    workgroupBarrier();
    for (var i = 0u; i < PART; i++) {
        let e = at.column + i * ACROSS;
        if e >= WIDTH { continue; }
        other[at.row * WIDTH + e] = d_key[i];
        if token < p.len {
            d_qkv[((at.puzzle * p.len + token) * 3u + 2u) * p.heads * WIDTH + at.head * WIDTH + e] = S(d_value[i]);
        }
    }
    workgroupBarrier();
    give(at.puzzle, at.head, 1u, at.block, lane);
}
