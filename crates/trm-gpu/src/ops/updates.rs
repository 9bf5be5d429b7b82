//! Updates of parameters.

use super::product::{Follow, Parts, Product, Strides};
use super::values::PARTS;
use crate::gpu::Gpu;
use crate::job::{buffer, each, list, whole, window};
use crate::programs::{Program, source};
use trm_ops::{Adam, AdamRule, DType, QUINTIC, Tensor};

impl Gpu {
    pub(crate) fn adam_step(
        &self,
        p: &mut Tensor,
        g: &Tensor,
        [m, v]: [&mut Tensor; 2],
        (adam, rule): (&Adam, AdamRule),
    ) {
        let (c1, c2) = adam.corrections();
        [&mut *p, &mut *m, &mut *v].into_iter().for_each(|x| self.own(x));
        let len = p.len();
        let keep = 1.0 - adam.lr * adam.weight_decay;
        let numbers = [adam.lr, adam.beta1, adam.beta2, keep, c1, c2].map(f32::to_bits);
        let rule = usize::from(rule == AdamRule::W);
        let program = Program::new(source::updates, "adam", DType::F32).with("RULE", rule);
        let operands = [each(g, len), each(p, len).out(), each(m, len).out(), each(v, len).out()];
        self.run_each(program, len, 1, &operands, &numbers);
    }

    pub(crate) fn sign_step(
        &self,
        p: &mut Tensor,
        rows: &[(usize, Vec<usize>)],
        g: &Tensor,
        [rate, keep]: [f32; 2],
    ) {
        if rows.is_empty() {
            return;
        }
        self.own(p);
        let [table, width] = *p.shape() else { panic!("a table") };
        let number = |x: usize| x as u32;
        let ids: Vec<u32> = rows.iter().map(|(row, _)| number(*row)).collect();
        let places: Vec<u32> =
            rows.iter().flat_map(|(_, places)| places).map(|place| number(*place)).collect();
        let ends = rows.iter().scan(0, |end, (_, places)| {
            *end += number(places.len());
            Some(*end)
        });
        let from: Vec<u32> = std::iter::once(0).chain(ends).collect();
        let [ids, from, places] =
            [ids, from, places].map(|list| self.upload(bytemuck::cast_slice(&list)));
        for range in self.windows(table, &[p]) {
            let program = Program::new(source::updates, "sign_rows", DType::F32).with("RULE", 0);
            let operands =
                [whole(g), window(p, table, &range).out(), list(&ids), list(&from), list(&places)];
            let sizes = [width, range.start, range.len()].map(number);
            let numbers = [&sizes[..], &[rate.to_bits(), keep.to_bits()]].concat();
            self.run_each(program, rows.len(), width, &operands, &numbers);
        }
    }

    /// By its shorter side: `X (aI + b XᵀX + c (XᵀX)²)` is the same as `(aI + b XXᵀ + c (XXᵀ)²) X`.
    pub(crate) fn orthogonal(&self, matrix: &Tensor, steps: usize) -> Tensor {
        let [n, k] = *matrix.shape() else { panic!("a matrix") };
        let [a, b, c] = QUINTIC;
        let mut x = self.normalized(matrix);
        for _ in 0..steps {
            let (side, gram) = match n <= k {
                true => (
                    n,
                    self.of_two([n, n, k], (&x, Strides::along_k(k)), (&x, Strides::along_k(k))),
                ),
                false => {
                    (k, self.of_two([k, k, n], (&x, Strides::across(k)), (&x, Strides::across(k))))
                }
            };
            let of_gram = Strides::across(side); // it is its own transpose
            let square = self.of_two([side, side, side], (&gram, of_gram), (&gram, of_gram));
            let polynomial = self.combined(&gram, &square, [b, c]);
            let more = match n <= k {
                true => self.of_two(
                    [n, k, n],
                    (&polynomial, Strides::along_k(n)),
                    (&x, Strides::across(k)),
                ),
                false => self.of_two(
                    [n, k, k],
                    (&x, Strides::along_k(k)),
                    (&polynomial, Strides::across(k)),
                ),
            };
            x = self.combined(&x, &more, [a, 1.0]);
        }
        x
    }

    /// A matrix over its norm, which nobody reads.
    fn normalized(&self, matrix: &Tensor) -> Tensor {
        let (len, parts) = (matrix.len(), self.beside(matrix, &[PARTS], DType::F32));
        let numbers = [len as u32, 0, PARTS as u32, 0];
        let squares = Program::new(source::reduce, "squares", DType::F32);
        self.run_each(squares, PARTS, 1, &[whole(matrix), each(&parts, PARTS).out()], &numbers);
        let inverse = self.beside(matrix, &[1], DType::F32);
        let root = Program::new(source::reduce, "inverse_norm", DType::F32).with("GROUP", 1);
        self.run(&root, 1, &[whole(&parts), whole(&inverse).out()], &numbers, |_| 1);
        let out = self.like(matrix);
        let scale = Program::new(source::elementwise, "scale_by", DType::F32);
        let operands = [each(matrix, len), list(buffer(&inverse)), each(&out, len).out()];
        self.run_each(scale, len, 1, &operands, &[0, 0]);
        out
    }

    /// `a · b`, `[m, n]`.
    fn of_two(
        &self,
        sizes: [usize; 3],
        (a, of_a): (&Tensor, Strides),
        (b, of_b): (&Tensor, Strides),
    ) -> Tensor {
        let out = self.beside(a, &sizes[..2], DType::F32);
        self.product(&Product {
            sizes,
            outer: 1,
            a: (whole(a), of_a),
            b: (whole(b), of_b),
            out: whole(&out).out(),
            follow: Follow::Store,
            formats: [DType::F32; 2],
            parts: Parts::RowsOfA,
        });
        out
    }
}
