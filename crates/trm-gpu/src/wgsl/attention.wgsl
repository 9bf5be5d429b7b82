// out = softmax(q · kᵀ · scale) · v for every head, with rotary positions on q and k. No score is ever written: TILE
// keys at a time, the sums so far are scaled by how much the largest score has grown.
//
// A group has TILE queries of one head of one puzzle, ACROSS threads for each. The order of keys, and of sums, depends
// on nothing but the key's place: with a cache every token gets the same bits.
// q: rows of `q_stride` numbers, head after head. k and v: rows of `kv_stride`, beginning at the columns `k_column` and
// `v_column`, room for `capacity` of them in a puzzle. The first query is the token `origin`.

struct Params {
    rows: u32, first: u32, queries: u32, len: u32, origin: u32, heads: u32,
    q_stride: u32, kv_stride: u32, k_column: u32, v_column: u32, capacity: u32, scale: f32,
}
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> qs: array<S>;
@group(0) @binding(1) var<storage, read> kvs: array<S>;
@group(0) @binding(2) var<storage, read> turns: array<f32>; // [token, cos then sin, WIDTH / 2]
@group(0) @binding(3) var<storage, read_write> out: array<O>;
@group(0) @binding(4) var<storage, read_write> stats: array<f32>; // [puzzle, head, token, 2]: ln Σ e^score first

var<workgroup> q: array<f32, TILE * WIDTH>;
var<workgroup> k: array<f32, TILE * WIDTH>;
var<workgroup> v: array<f32, TILE * WIDTH>;
var<workgroup> scores: array<f32, TILE * TILE>;

const PART = (WIDTH + ACROSS - 1u) / ACROSS;

// A number of a row that is turned by its token's angle.
fn turned(value: f32, other: f32, token: u32, e: u32) -> f32 {
    if ROPE == 0u { return value; }
    let half = WIDTH / 2u;
    let cosine = turns[token * WIDTH + e % half];
    let sine = turns[token * WIDTH + half + e % half];
    return value * cosine + other * select(sine, -sine, e < half);
}

fn partner(e: u32) -> u32 {
    return (e + WIDTH / 2u) % WIDTH;
}

@compute @workgroup_size(TILE * ACROSS)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let blocks = (p.queries + TILE - 1u) / TILE;
    let number = group_number(group, groups);
    let block = number % blocks;
    let head = number / blocks % p.heads;
    let puzzle = number / (blocks * p.heads);
    if puzzle >= p.rows { return; }
    let row = lane / ACROSS;
    let column = lane % ACROSS;
    let query = block * TILE + row; // among the queries
    let token = p.origin + query;

    for (var i = lane; i < TILE * WIDTH; i += TILE * ACROSS) {
        let at = block * TILE + i / WIDTH;
        let e = i % WIDTH;
        q[i] = 0.0;
        if at < p.queries {
            let start = (puzzle * p.queries + at) * p.q_stride + head * WIDTH;
            q[i] = turned(f32(qs[start + e]), f32(qs[start + partner(e)]), p.origin + at, e) * p.scale;
        }
    }
    var sums: array<f32, PART>;
    for (var i = 0u; i < PART; i++) { sums[i] = 0.0; }
    var largest = -3.0e38;
    var total = 0.0;

    let visible = select(p.len, token + 1u, CAUSAL == 1u);
    let seen = select(p.len, min(p.len, p.origin + (block + 1u) * TILE), CAUSAL == 1u); // by the last of the group
    for (var first = 0u; first < seen; first += TILE) {
        workgroupBarrier();
        for (var i = lane; i < TILE * WIDTH; i += TILE * ACROSS) {
            let at = first + i / WIDTH;
            let e = i % WIDTH;
            k[i] = 0.0;
            v[i] = 0.0;
            if at < p.len {
                let start = (puzzle * p.capacity + at) * p.kv_stride + head * WIDTH;
                k[i] = turned(f32(kvs[start + p.k_column + e]), f32(kvs[start + p.k_column + partner(e)]), at, e);
                v[i] = f32(kvs[start + p.v_column + e]);
            }
        }
        workgroupBarrier();
        for (var j = column; j < TILE; j += ACROSS) {
            var score = 0.0;
            for (var e = 0u; e < WIDTH; e++) { score += q[row * WIDTH + e] * k[j * WIDTH + e]; }
            scores[row * TILE + j] = select(-3.0e38, score, first + j < visible);
        }
        workgroupBarrier();
        var most = largest;
        for (var j = 0u; j < TILE; j++) { most = max(most, scores[row * TILE + j]); }
        let shrink = exp(largest - most);
        for (var i = 0u; i < PART; i++) { sums[i] *= shrink; }
        total *= shrink;
        for (var j = 0u; j < TILE; j++) {
            if first + j >= visible { break; }
            let weight = exp(scores[row * TILE + j] - most);
            total += weight;
            for (var i = 0u; i < PART; i++) {
                let e = column + i * ACROSS;
                if e < WIDTH { sums[i] += weight * v[j * WIDTH + e]; }
            }
        }
        largest = most;
    }
    if query >= p.queries { return; }
    let start = (puzzle * p.queries + query) * p.heads * WIDTH + head * WIDTH;
    for (var i = 0u; i < PART; i++) {
        let e = column + i * ACROSS;
        if e < WIDTH { out[start + e] = O(sums[i] / total); }
    }
    if column == 0u {
        stats[2u * ((puzzle * p.heads + head) * p.queries + query)] = largest + log(total);
    }
}
