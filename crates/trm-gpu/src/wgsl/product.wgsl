// out[z, m, n] = Σ_k a[z, m, k] · b[z, k, n], and what follows it while the numbers are still in registers.
//
// A group of TX × TY threads has a tile of 8 TY rows and 8 TX columns; a thread has two quads of rows and two of
// columns, half a tile apart. DEPTH terms at a time go through shared memory. Terms are added in their order, whatever the tile: a row's numbers do not depend on the rows beside it.
//
// Where numbers lie: a at z·a_z + o·a_o + m·a_m + k·a_k, b likewise with n; terms are counted by (o, k), o < outer.
// FOLLOW: what is done with a sum.
//   0 stored
//   1 plus a bias
//   2 gated along columns: of 2 N columns, g and u = the one N further; act = silu(g) · u      [.., N]
//   3 gated along rows, likewise of 2 M rows
//   4 rms_norm(h + ·) along the columns: a group has whole rows
//   5 rms_norm(h + ·) along the rows: a group has whole columns
// SPLIT: z is a part of the terms (1: of k, 2: of o), each of `chunk`; out is f32.
// KEEP: what a gate takes in is stored besides.

struct Params {
    rows: u32, first: u32,
    m: u32, n: u32, k: u32, outer: u32, chunk: u32,
    a_z: u32, a_o: u32, a_m: u32, a_k: u32,
    b_z: u32, b_o: u32, b_k: u32, b_n: u32,
    eps: f32,
}
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> a: array<S>;
@group(0) @binding(1) var<storage, read> b: array<S>;
@group(0) @binding(2) var<storage, read_write> out: array<O>;
@group(0) @binding(3) var<storage, read> term: array<S>; // a bias, or h
@group(0) @binding(4) var<storage, read_write> pre: array<S>;

const THREADS = TX * TY;
const QA = 2u * TY; // quads of rows of a tile
const QB = 2u * TX; // quads of columns
var<workgroup> tile_a: array<vec4<f32>, DEPTH * QA>;
var<workgroup> tile_b: array<vec4<f32>, DEPTH * QB>;
var<workgroup> squares: array<f32, SUMS>;

// The row that a place in a tile stands for; beyond `rows_of_a()`, none.
fn row_at(tile: u32, place: u32) -> u32 {
    if FOLLOW != 3u { return tile * 8u * TY + place; }
    let row = tile * 4u * TY + place % (4u * TY);
    if row >= p.m { return 2u * p.m; }
    return row + select(0u, p.m, place >= 4u * TY);
}

fn column_at(tile: u32, place: u32) -> u32 {
    if FOLLOW != 2u { return tile * 8u * TX + place; }
    let column = tile * 4u * TX + place % (4u * TX);
    if column >= p.n { return 2u * p.n; }
    return column + select(0u, p.n, place >= 4u * TX);
}

// ROWS_OF_A: the rows of the launch are those of a, and there is one z; otherwise they are the z.
fn m_count() -> u32 { return select(p.m, p.rows, ROWS_OF_A == 1u); }
fn rows_of_a() -> u32 { return select(m_count(), 2u * p.m, FOLLOW == 3u); }
fn columns_of_b() -> u32 { return select(p.n, 2u * p.n, FOLLOW == 2u); }

fn load_a(z: u32, o: u32, k0: u32, k_end: u32, tile: u32, lane: u32) {
    for (var item = lane; item < DEPTH * QA; item += THREADS) {
        var k = item / QA;
        var quad = item % QA;
        if A_ALONG_K == 1u { k = item % DEPTH; quad = item / DEPTH; }
        var loaded = vec4<f32>();
        if k0 + k < k_end {
            let start = z * p.a_z + o * p.a_o + (k0 + k) * p.a_k;
            for (var c = 0u; c < 4u; c++) {
                let row = row_at(tile, 4u * quad + c);
                if row < rows_of_a() { loaded[c] = f32(a[start + row * p.a_m]); }
            }
        }
        tile_a[k * QA + quad] = loaded;
    }
}

fn load_b(z: u32, o: u32, k0: u32, k_end: u32, tile: u32, lane: u32) {
    for (var item = lane; item < DEPTH * QB; item += THREADS) {
        var k = item / QB;
        var quad = item % QB;
        if B_ALONG_K == 1u { k = item % DEPTH; quad = item / DEPTH; }
        var loaded = vec4<f32>();
        if k0 + k < k_end {
            let start = z * p.b_z + o * p.b_o + (k0 + k) * p.b_k;
            for (var c = 0u; c < 4u; c++) {
                let column = column_at(tile, 4u * quad + c);
                if column < columns_of_b() { loaded[c] = f32(b[start + column * p.b_n]); }
            }
        }
        tile_b[k * QB + quad] = loaded;
    }
}

@compute @workgroup_size(THREADS)
fn product(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let tiles_m = (rows_of_a() + 8u * TY - 1u) / (8u * TY);
    let tiles_n = (columns_of_b() + 8u * TX - 1u) / (8u * TX);
    let number = group_number(group, groups);
    let tile_n = number % tiles_n;
    let tile_m = number / tiles_n % tiles_m;
    let z = number / (tiles_n * tiles_m);
    if z >= select(p.rows, 1u, ROWS_OF_A == 1u) { return; }
    let tx = lane % TX;
    let ty = lane / TX;

    var o_first = 0u;
    var o_end = p.outer;
    var k_first = 0u;
    var k_end = p.k;
    var origin = z;
    if SPLIT == 1u { k_first = z * p.chunk; k_end = min(k_first + p.chunk, p.k); origin = 0u; }
    if SPLIT == 2u { o_first = z * p.chunk; o_end = min(o_first + p.chunk, p.outer); origin = 0u; }

    var sums: array<vec4<f32>, 16>; // [8 rows][2 quads of columns]
    for (var o = o_first; o < o_end; o++) {
        for (var k0 = k_first; k0 < k_end; k0 += DEPTH) {
            load_a(origin, o, k0, k_end, tile_m, lane);
            load_b(origin, o, k0, k_end, tile_n, lane);
            workgroupBarrier();
            for (var k = 0u; k < DEPTH; k++) {
                let a0 = tile_a[k * QA + ty];
                let a1 = tile_a[k * QA + TY + ty];
                let b0 = tile_b[k * QB + tx];
                let b1 = tile_b[k * QB + TX + tx];
                sums[0] += a0.x * b0;  sums[1] += a0.x * b1;
                sums[2] += a0.y * b0;  sums[3] += a0.y * b1;
                sums[4] += a0.z * b0;  sums[5] += a0.z * b1;
                sums[6] += a0.w * b0;  sums[7] += a0.w * b1;
                sums[8] += a1.x * b0;  sums[9] += a1.x * b1;
                sums[10] += a1.y * b0; sums[11] += a1.y * b1;
                sums[12] += a1.z * b0; sums[13] += a1.z * b1;
                sums[14] += a1.w * b0; sums[15] += a1.w * b1;
            }
            workgroupBarrier();
        }
    }

    if FOLLOW == 2u {
        for (var i = 0u; i < 8u; i++) {
            let m = row_at(tile_m, (i / 4u) * 4u * TY + 4u * ty + i % 4u);
            for (var c = 0u; c < 4u; c++) {
                let n = tile_n * 4u * TX + 4u * tx + c;
                if m >= m_count() || n >= p.n { continue; }
                gate((z * m_count() + m) * p.n + n, (z * m_count() + m) * 2u * p.n + n, p.n, sums[2u * i][c], sums[2u * i + 1u][c]);
            }
        }
        return;
    }
    if FOLLOW == 3u {
        for (var i = 0u; i < 4u; i++) {
            let m = tile_m * 4u * TY + 4u * ty + i;
            for (var c = 0u; c < 8u; c++) {
                let n = column_at(tile_n, (c / 4u) * 4u * TX + 4u * tx + c % 4u);
                if m >= m_count() || n >= p.n { continue; }
                let g = sums[2u * i + c / 4u][c % 4u];
                let u = sums[2u * (i + 4u) + c / 4u][c % 4u];
                gate((z * m_count() + m) * p.n + n, (z * 2u * p.m + m) * p.n + n, p.m * p.n, g, u);
            }
        }
        return;
    }

    if FOLLOW >= 4u {
        // the sums become h + sum, beyond the edges 0
        for (var i = 0u; i < 8u; i++) {
            let m = row_at(tile_m, (i / 4u) * 4u * TY + 4u * ty + i % 4u);
            for (var c = 0u; c < 8u; c++) {
                let n = column_at(tile_n, (c / 4u) * 4u * TX + 4u * tx + c % 4u);
                if m < m_count() && n < p.n {
                    sums[2u * i + c / 4u][c % 4u] += f32(term[(z * m_count() + m) * p.n + n]);
                }
            }
        }
    }
    if FOLLOW == 4u {
        for (var i = 0u; i < 8u; i++) {
            let q0 = sums[2u * i];
            let q1 = sums[2u * i + 1u];
            squares[((i / 4u) * 4u * TY + 4u * ty + i % 4u) * TX + tx] = dot(q0, q0) + dot(q1, q1);
        }
        workgroupBarrier();
        for (var i = 0u; i < 8u; i++) {
            let row = (i / 4u) * 4u * TY + 4u * ty + i % 4u;
            var sum = 0.0;
            for (var t = 0u; t < TX; t++) { sum += squares[row * TX + t]; }
            let inverse = 1.0 / sqrt(sum / f32(p.n) + p.eps);
            sums[2u * i] *= inverse;
            sums[2u * i + 1u] *= inverse;
        }
    }
    if FOLLOW == 5u {
        var q0 = vec4<f32>();
        var q1 = vec4<f32>();
        for (var i = 0u; i < 8u; i++) {
            q0 += sums[2u * i] * sums[2u * i];
            q1 += sums[2u * i + 1u] * sums[2u * i + 1u];
        }
        for (var c = 0u; c < 4u; c++) {
            squares[(4u * tx + c) * TY + ty] = q0[c];
            squares[(4u * TX + 4u * tx + c) * TY + ty] = q1[c];
        }
        workgroupBarrier();
        var i0 = vec4<f32>();
        var i1 = vec4<f32>();
        for (var c = 0u; c < 4u; c++) {
            var s0 = 0.0;
            var s1 = 0.0;
            for (var t = 0u; t < TY; t++) {
                s0 += squares[(4u * tx + c) * TY + t];
                s1 += squares[(4u * TX + 4u * tx + c) * TY + t];
            }
            i0[c] = 1.0 / sqrt(s0 / f32(p.m) + p.eps);
            i1[c] = 1.0 / sqrt(s1 / f32(p.m) + p.eps);
        }
        for (var i = 0u; i < 8u; i++) {
            sums[2u * i] *= i0;
            sums[2u * i + 1u] *= i1;
        }
    }
    for (var i = 0u; i < 8u; i++) {
        let m = row_at(tile_m, (i / 4u) * 4u * TY + 4u * ty + i % 4u);
        for (var c = 0u; c < 8u; c++) {
            let n = column_at(tile_n, (c / 4u) * 4u * TX + 4u * tx + c % 4u);
            if m >= m_count() || n >= p.n { continue; }
            var value = sums[2u * i + c / 4u][c % 4u];
            if FOLLOW == 1u { value += f32(term[n]); }
            out[(z * m_count() + m) * p.n + n] = O(value);
        }
    }
}

fn gate(at: u32, first: u32, further: u32, g: f32, u: f32) {
    out[at] = O(g * sigmoid(g) * u);
    if KEEP == 1u {
        pre[first] = S(g);
        pre[first + further] = S(u);
    }
}
