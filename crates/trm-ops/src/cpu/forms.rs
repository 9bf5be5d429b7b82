//! Copies of parameters that products read, made when first needed and kept until the next update.

use crate::Parameter;
use crate::cpu::element::Element;
use crate::cpu::panels::{Bf16Pairs, Bf16Wide, F32, Format, PackedLhs, PackedRhs};
use std::sync::OnceLock;

/// Those in every format.
#[derive(Debug, Default)]
pub(crate) struct AllForms {
    pub(super) f32: Forms<F32>,
    pub(super) pairs: Forms<Bf16Pairs>,
    pub(super) wide: Forms<Bf16Wide>,
}

/// Those of one format.
#[derive(Debug)]
pub(crate) struct Forms<F> {
    columns: OnceLock<Vec<PackedRhs<F>>>,
    rows: OnceLock<PackedRhs<F>>,
    left: OnceLock<Vec<PackedLhs<F>>>,
    left_transposed: OnceLock<Vec<PackedLhs<F>>>,
}

impl<F> Default for Forms<F> {
    fn default() -> Forms<F> {
        Forms {
            columns: OnceLock::new(),
            rows: OnceLock::new(),
            left: OnceLock::new(),
            left_transposed: OnceLock::new(),
        }
    }
}

impl Parameter {
    fn forms<F: Format>(&self) -> &Forms<F> {
        F::forms(self.derived())
    }

    /// `Wᵀ` as a right operand, for `x · Wᵀ`; its columns in `parts` equal parts.
    pub(crate) fn columns<F: Format>(&self, parts: usize) -> &[PackedRhs<F>] {
        let forms = self.forms::<F>();
        get_or_make::<Vec<_>>(&forms.columns, || {
            self.in_parts::<F, _>(parts, |w, k| {
                PackedRhs::from_columns(self.value().device(), w, w.len() / k, k)
            })
        })
    }

    /// `W` as a right operand, for `dY · W`.
    pub(crate) fn rows<F: Format>(&self) -> &PackedRhs<F> {
        let [n, k] = self.extent();
        get_or_make(&self.forms::<F>().rows, || {
            let stored = self.value().to_dtype(F::Stored::DTYPE);
            PackedRhs::from_rows(self.value().device(), stored.slice(), n, k)
        })
    }

    /// `W` as left operands, for `W · h`; its rows in `parts` equal parts, each in blocks of `block` rows.
    pub(crate) fn left<F: Format>(&self, parts: usize, block: usize) -> &[PackedLhs<F>] {
        let pack = |w: &[F::Stored], k| PackedLhs::from_rows(self.value().device(), w, k, block);
        get_or_make::<Vec<_>>(&self.forms::<F>().left, || self.in_parts::<F, _>(parts, pack))
    }

    /// `Wᵀ` as left operands, for `Wᵀ · dY`: one for each of `parts` equal parts of the rows of W, in blocks of
    /// `block` rows of Wᵀ.
    pub(crate) fn left_transposed<F: Format>(&self, parts: usize, block: usize) -> &[PackedLhs<F>] {
        let pack =
            |w: &[F::Stored], k| PackedLhs::from_transposed(self.value().device(), w, k, block);
        get_or_make::<Vec<_>>(&self.forms::<F>().left_transposed, || {
            self.in_parts::<F, _>(parts, pack)
        })
    }

    /// The rows in `parts` equal parts, `[rows, k]` each, packed.
    fn in_parts<F: Format, P>(
        &self,
        parts: usize,
        pack: impl Fn(&[F::Stored], usize) -> P,
    ) -> Vec<P> {
        let [n, k] = self.extent();
        let stored = self.value().to_dtype(F::Stored::DTYPE);
        let parts = stored.slice::<F::Stored>().chunks_exact(n / parts * k);
        parts.map(|w| pack(w, k)).collect()
    }

    fn extent(&self) -> [usize; 2] {
        let [n, k] = *self.value().shape() else { panic!("{} is not a matrix", self.name()) };
        [n, k]
    }
}

/// What a cell holds, made first if it is empty. Nothing is locked while it is made: a thread that waits for the others
/// meanwhile may take up work which wants the same, and would wait for itself. What two make is equal.
fn get_or_make<T>(cell: &OnceLock<T>, make: impl FnOnce() -> T) -> &T {
    match cell.get() {
        Some(made) => made,
        None => {
            let made = make();
            cell.get_or_init(|| made)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::Tensor;
    use crate::cpu::panels::{Lhs, PANEL};

    /// What a left operand multiplies the numbers 1, 10, 100, … with.
    fn spoken<F: Format>(lhs: Lhs<'_, F::Operand>, k: usize) -> Vec<f32> {
        let device = Device::cpu(1);
        let digits: Vec<f32> = (0..k).map(|i| 10f32.powi(i as i32)).collect();
        let digits = Tensor::from_f32(&device, &[k, 1], &digits).to_dtype(F::Stored::DTYPE);
        let rhs = PackedRhs::<F>::from_rows(&device, digits.slice(), k, 1);
        let (_, panel) = rhs.panels().next().unwrap();
        let mut out = vec![0.0; lhs.rows() * PANEL];
        F::panel_product(lhs, panel, &mut out, false);
        out.chunks_exact(PANEL).map(|row| row[0]).collect()
    }

    #[test]
    fn forms_follow_the_master() {
        let device = Device::cpu(1);
        let value = Tensor::from_f32(&device, &[2, 3], &[1.0, 2.0, 3.0, 4.001, 5.0, 6.0]);
        let mut parameter = Parameter::new(0, "w", value);
        assert_eq!(spoken::<F32>(parameter.left::<F32>(1, 9)[0].block(0), 3), [321.0, 654.001]);
        assert_eq!(
            spoken::<F32>(parameter.left_transposed::<F32>(1, 9)[0].block(0), 2),
            [41.01, 52.0, 63.0]
        );
        assert_eq!(
            spoken::<Bf16Wide>(parameter.left::<Bf16Wide>(1, 9)[0].block(0), 3),
            [321.0, 654.0]
        );
        assert_eq!(
            spoken::<Bf16Pairs>(parameter.left::<Bf16Pairs>(1, 9)[0].block(0), 3),
            [321.0, 654.0]
        );
        let transposed = parameter.left_transposed::<Bf16Pairs>(1, 9)[0].block(0);
        assert_eq!(spoken::<Bf16Pairs>(transposed, 2), [41.0, 52.0, 63.0]);
        parameter.set(Tensor::from_f32(&device, &[2, 3], &[9.0; 6]));
        assert_eq!(spoken::<F32>(parameter.left_transposed::<F32>(1, 9)[0].block(0), 2), [99.0; 3]);
    }
}
