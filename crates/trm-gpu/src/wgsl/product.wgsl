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

// A quad of gates may run over their last one into what lies behind: those numbers are not used.
fn number_of_a(start: u32, row: u32) -> f32 {
    if row >= rows_of_a() { return 0.0; }
    return f32(a[start + row * p.a_m]);
}

fn load_a(z: u32, o: u32, k0: u32, k_end: u32, tile: u32, lane: u32) {
    for (var item = lane; item < DEPTH * QA; item += THREADS) {
        var k = item / QA;
        var quad = item % QA;
        if A_ALONG_K == 1u { k = item % DEPTH; quad = item / DEPTH; }
        var loaded = vec4<f32>();
        if k0 + k < k_end {
            let start = z * p.a_z + o * p.a_o + (k0 + k) * p.a_k;
            let first = row_at(tile, 4u * quad); // quads do not cross the halves of a tile
            loaded = vec4<f32>(
                number_of_a(start, first), number_of_a(start, first + 1u),
                number_of_a(start, first + 2u), number_of_a(start, first + 3u),
            );
        }
        tile_a[k * QA + quad] = loaded;
    }
}

fn number_of_b(start: u32, column: u32) -> f32 {
    if column >= columns_of_b() { return 0.0; }
    return f32(b[start + column * p.b_n]);
}

fn load_b(z: u32, o: u32, k0: u32, k_end: u32, tile: u32, lane: u32) {
    for (var item = lane; item < DEPTH * QB; item += THREADS) {
        var k = item / QB;
        var quad = item % QB;
        if B_ALONG_K == 1u { k = item % DEPTH; quad = item / DEPTH; }
        var loaded = vec4<f32>();
        if k0 + k < k_end {
            let start = z * p.b_z + o * p.b_o + (k0 + k) * p.b_k;
            let first = column_at(tile, 4u * quad); // quads do not cross the halves of a tile
            loaded = vec4<f32>(
                number_of_b(start, first), number_of_b(start, first + 1u),
                number_of_b(start, first + 2u), number_of_b(start, first + 3u),
            );
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
    var source_z = z;
    if SPLIT == 1u { k_first = z * p.chunk; k_end = min(k_first + p.chunk, p.k); source_z = 0u; }
    if SPLIT == 2u { o_first = z * p.chunk; o_end = min(o_first + p.chunk, p.outer); source_z = 0u; }

    // sums of row i and quad q of columns: named one by one, for an array would not stay in registers
    var s00 = vec4<f32>(); var s01 = vec4<f32>();
    var s10 = vec4<f32>(); var s11 = vec4<f32>();
    var s20 = vec4<f32>(); var s21 = vec4<f32>();
    var s30 = vec4<f32>(); var s31 = vec4<f32>();
    var s40 = vec4<f32>(); var s41 = vec4<f32>();
    var s50 = vec4<f32>(); var s51 = vec4<f32>();
    var s60 = vec4<f32>(); var s61 = vec4<f32>();
    var s70 = vec4<f32>(); var s71 = vec4<f32>();
    for (var o = o_first; o < o_end; o++) {
        for (var k0 = k_first; k0 < k_end; k0 += DEPTH) {
            load_a(source_z, o, k0, k_end, tile_m, lane);
            load_b(source_z, o, k0, k_end, tile_n, lane);
            workgroupBarrier();
            for (var k = 0u; k < DEPTH; k++) {
                let a0 = tile_a[k * QA + ty];
                let a1 = tile_a[k * QA + TY + ty];
                let b0 = tile_b[k * QB + tx];
                let b1 = tile_b[k * QB + TX + tx];
                s00 += a0.x * b0; s01 += a0.x * b1;
                s10 += a0.y * b0; s11 += a0.y * b1;
                s20 += a0.z * b0; s21 += a0.z * b1;
                s30 += a0.w * b0; s31 += a0.w * b1;
                s40 += a1.x * b0; s41 += a1.x * b1;
                s50 += a1.y * b0; s51 += a1.y * b1;
                s60 += a1.z * b0; s61 += a1.z * b1;
                s70 += a1.w * b0; s71 += a1.w * b1;
            }
            workgroupBarrier();
        }
    }

    // the first row and column of each quad of this thread
    let m0 = row_at(tile_m, 4u * ty);
    let m1 = row_at(tile_m, 4u * TY + 4u * ty);
    let n0 = column_at(tile_n, 4u * tx);
    let n1 = column_at(tile_n, 4u * TX + 4u * tx);
    if FOLLOW == 2u {
        gate_columns(z, m0 + 0u, n0, s00, s01);
        gate_columns(z, m0 + 1u, n0, s10, s11);
        gate_columns(z, m0 + 2u, n0, s20, s21);
        gate_columns(z, m0 + 3u, n0, s30, s31);
        gate_columns(z, m1 + 0u, n0, s40, s41);
        gate_columns(z, m1 + 1u, n0, s50, s51);
        gate_columns(z, m1 + 2u, n0, s60, s61);
        gate_columns(z, m1 + 3u, n0, s70, s71);
        return;
    }
    if FOLLOW == 3u {
        gate_rows(z, m0 + 0u, n0, s00, s40);
        gate_rows(z, m0 + 0u, n1, s01, s41);
        gate_rows(z, m0 + 1u, n0, s10, s50);
        gate_rows(z, m0 + 1u, n1, s11, s51);
        gate_rows(z, m0 + 2u, n0, s20, s60);
        gate_rows(z, m0 + 2u, n1, s21, s61);
        gate_rows(z, m0 + 3u, n0, s30, s70);
        gate_rows(z, m0 + 3u, n1, s31, s71);
        return;
    }
    if FOLLOW >= 4u {
        // h + sum; beyond the edges 0
        s00 += term_at(z, m0 + 0u, n0); s01 += term_at(z, m0 + 0u, n1);
        s10 += term_at(z, m0 + 1u, n0); s11 += term_at(z, m0 + 1u, n1);
        s20 += term_at(z, m0 + 2u, n0); s21 += term_at(z, m0 + 2u, n1);
        s30 += term_at(z, m0 + 3u, n0); s31 += term_at(z, m0 + 3u, n1);
        s40 += term_at(z, m1 + 0u, n0); s41 += term_at(z, m1 + 0u, n1);
        s50 += term_at(z, m1 + 1u, n0); s51 += term_at(z, m1 + 1u, n1);
        s60 += term_at(z, m1 + 2u, n0); s61 += term_at(z, m1 + 2u, n1);
        s70 += term_at(z, m1 + 3u, n0); s71 += term_at(z, m1 + 3u, n1);
    }
    if FOLLOW == 4u {
        squares[(4u * ty + 0u) * TX + tx] = dot(s00, s00) + dot(s01, s01);
        squares[(4u * ty + 1u) * TX + tx] = dot(s10, s10) + dot(s11, s11);
        squares[(4u * ty + 2u) * TX + tx] = dot(s20, s20) + dot(s21, s21);
        squares[(4u * ty + 3u) * TX + tx] = dot(s30, s30) + dot(s31, s31);
        squares[(4u * TY + 4u * ty + 0u) * TX + tx] = dot(s40, s40) + dot(s41, s41);
        squares[(4u * TY + 4u * ty + 1u) * TX + tx] = dot(s50, s50) + dot(s51, s51);
        squares[(4u * TY + 4u * ty + 2u) * TX + tx] = dot(s60, s60) + dot(s61, s61);
        squares[(4u * TY + 4u * ty + 3u) * TX + tx] = dot(s70, s70) + dot(s71, s71);
        workgroupBarrier();
        let r0 = inverse_of((4u * ty + 0u) * TX, TX, p.n);
        s00 *= r0; s01 *= r0;
        let r1 = inverse_of((4u * ty + 1u) * TX, TX, p.n);
        s10 *= r1; s11 *= r1;
        let r2 = inverse_of((4u * ty + 2u) * TX, TX, p.n);
        s20 *= r2; s21 *= r2;
        let r3 = inverse_of((4u * ty + 3u) * TX, TX, p.n);
        s30 *= r3; s31 *= r3;
        let r4 = inverse_of((4u * TY + 4u * ty + 0u) * TX, TX, p.n);
        s40 *= r4; s41 *= r4;
        let r5 = inverse_of((4u * TY + 4u * ty + 1u) * TX, TX, p.n);
        s50 *= r5; s51 *= r5;
        let r6 = inverse_of((4u * TY + 4u * ty + 2u) * TX, TX, p.n);
        s60 *= r6; s61 *= r6;
        let r7 = inverse_of((4u * TY + 4u * ty + 3u) * TX, TX, p.n);
        s70 *= r7; s71 *= r7;
    }
    if FOLLOW == 5u {
        let c0 = s00 * s00 + s10 * s10 + s20 * s20 + s30 * s30 + s40 * s40 + s50 * s50 + s60 * s60 + s70 * s70;
        let c1 = s01 * s01 + s11 * s11 + s21 * s21 + s31 * s31 + s41 * s41 + s51 * s51 + s61 * s61 + s71 * s71;
        squares[(4u * tx + 0u) * TY + ty] = c0.x;
        squares[(4u * tx + 1u) * TY + ty] = c0.y;
        squares[(4u * tx + 2u) * TY + ty] = c0.z;
        squares[(4u * tx + 3u) * TY + ty] = c0.w;
        squares[(4u * TX + 4u * tx + 0u) * TY + ty] = c1.x;
        squares[(4u * TX + 4u * tx + 1u) * TY + ty] = c1.y;
        squares[(4u * TX + 4u * tx + 2u) * TY + ty] = c1.z;
        squares[(4u * TX + 4u * tx + 3u) * TY + ty] = c1.w;
        workgroupBarrier();
        let i0 = vec4<f32>(inverse_of((4u * tx + 0u) * TY, TY, p.m), inverse_of((4u * tx + 1u) * TY, TY, p.m), inverse_of((4u * tx + 2u) * TY, TY, p.m), inverse_of((4u * tx + 3u) * TY, TY, p.m));
        let i1 = vec4<f32>(inverse_of((4u * TX + 4u * tx + 0u) * TY, TY, p.m), inverse_of((4u * TX + 4u * tx + 1u) * TY, TY, p.m), inverse_of((4u * TX + 4u * tx + 2u) * TY, TY, p.m), inverse_of((4u * TX + 4u * tx + 3u) * TY, TY, p.m));
        s00 *= i0; s01 *= i1;
        s10 *= i0; s11 *= i1;
        s20 *= i0; s21 *= i1;
        s30 *= i0; s31 *= i1;
        s40 *= i0; s41 *= i1;
        s50 *= i0; s51 *= i1;
        s60 *= i0; s61 *= i1;
        s70 *= i0; s71 *= i1;
    }
    give(z, m0 + 0u, n0, s00); give(z, m0 + 0u, n1, s01);
    give(z, m0 + 1u, n0, s10); give(z, m0 + 1u, n1, s11);
    give(z, m0 + 2u, n0, s20); give(z, m0 + 2u, n1, s21);
    give(z, m0 + 3u, n0, s30); give(z, m0 + 3u, n1, s31);
    give(z, m1 + 0u, n0, s40); give(z, m1 + 0u, n1, s41);
    give(z, m1 + 1u, n0, s50); give(z, m1 + 1u, n1, s51);
    give(z, m1 + 2u, n0, s60); give(z, m1 + 2u, n1, s61);
    give(z, m1 + 3u, n0, s70); give(z, m1 + 3u, n1, s71);
}

// What a quad of columns has of `term`: h; 0 beyond the edges.
fn term_at(z: u32, m: u32, n: u32) -> vec4<f32> {
    var value = vec4<f32>();
    if m >= m_count() { return value; }
    let at = (z * m_count() + m) * p.n + n;
    if n < p.n { value.x = f32(term[at]); }
    if n + 1u < p.n { value.y = f32(term[at + 1u]); }
    if n + 2u < p.n { value.z = f32(term[at + 2u]); }
    if n + 3u < p.n { value.w = f32(term[at + 3u]); }
    return value;
}

// 1 / sqrt(mean + ε) from the sums of squares of so many threads.
fn inverse_of(first: u32, threads: u32, count: u32) -> f32 {
    var sum = 0.0;
    for (var t = 0u; t < threads; t++) { sum += squares[first + t]; }
    return 1.0 / sqrt(sum / f32(count) + p.eps);
}

fn biased(value: f32, n: u32) -> O {
    if FOLLOW == 1u { return O(value + f32(term[n])); }
    return O(value);
}

// Stores a quad of columns of a row.
fn give(z: u32, m: u32, n: u32, value: vec4<f32>) {
    if m >= m_count() { return; }
    let at = (z * m_count() + m) * p.n + n;
    if n < p.n { out[at] = biased(value.x, n); }
    if n + 1u < p.n { out[at + 1u] = biased(value.y, n + 1u); }
    if n + 2u < p.n { out[at + 2u] = biased(value.z, n + 2u); }
    if n + 3u < p.n { out[at + 3u] = biased(value.w, n + 3u); }
}

// The gate of one number: g and u are `further` apart where they are kept.
fn gate(at: u32, first: u32, further: u32, g: f32, u: f32) {
    out[at] = O(g * sigmoid(g) * u);
    if KEEP == 1u {
        pre[first] = S(g);
        pre[first + further] = S(u);
    }
}

fn gate_quad(n: u32, at: u32, first: u32, further: u32, g: vec4<f32>, u: vec4<f32>) {
    if n < p.n { gate(at, first, further, g.x, u.x); }
    if n + 1u < p.n { gate(at + 1u, first + 1u, further, g.y, u.y); }
    if n + 2u < p.n { gate(at + 2u, first + 2u, further, g.z, u.z); }
    if n + 3u < p.n { gate(at + 3u, first + 3u, further, g.w, u.w); }
}

fn gate_columns(z: u32, m: u32, n: u32, g: vec4<f32>, u: vec4<f32>) {
    if m >= m_count() { return; }
    let row = z * m_count() + m;
    gate_quad(n, row * p.n + n, row * 2u * p.n + n, p.n, g, u);
}

fn gate_rows(z: u32, m: u32, n: u32, g: vec4<f32>, u: vec4<f32>) {
    if m >= p.m { return; }
    gate_quad(n, (z * p.m + m) * p.n + n, (z * 2u * p.m + m) * p.n + n, p.m * p.n, g, u);
}
