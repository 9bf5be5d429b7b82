//! How the operands of products are stored, and how the kernels read them.

use super::kernel::{Lhs, Operand};
use crate::cpu::element::Element;
use crate::cpu::forms::{AllForms, Forms};
use crate::cpu::math::{exp2, exp2_coarse};
use half::bf16;

/// A number format of tensors, together with what the kernels of this processor multiply.
pub(crate) trait Format: Copy + Send + Sync + 'static {
    /// What tensors hold.
    type Stored: Element;
    /// What the kernels read.
    type Operand: Operand;

    /// An operand with the value that storing and loading `x` would give.
    fn round(x: f32) -> Self::Operand;

    /// A stored value as an operand.
    fn widen(x: Self::Stored) -> Self::Operand;

    /// Stored values that are operands as they are.
    fn as_operands(_stored: &[Self::Stored]) -> Option<&[Self::Operand]> {
        None
    }

    /// 2^x, as exact as the format needs it.
    fn exp2(x: f32) -> f32;

    /// `out = lhs · panel`, or `out += …` when `accumulate`; panel `[2, K / GROUP, 16, GROUP]`, out `[rows, 32]`.
    /// A row's sums do not depend on the other rows.
    fn panel_product(
        lhs: Lhs<'_, Self::Operand>,
        panel: &[Self::Operand],
        out: &mut [f32],
        accumulate: bool,
    ) {
        Self::Operand::panel_product(lhs, panel, out, accumulate);
    }

    /// The forms of a parameter in this format.
    fn forms(all: &AllForms) -> &Forms<Self>;
}

/// Single precision.
#[derive(Clone, Copy, Debug)]
pub(crate) struct F32;

/// bf16 where the processor multiplies it, in pairs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bf16Pairs;

/// bf16 where the processor does not: stored so, multiplied in single precision.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bf16Wide;

impl Format for F32 {
    type Stored = f32;
    type Operand = f32;

    #[inline(always)]
    fn round(x: f32) -> f32 {
        x
    }

    #[inline(always)]
    fn widen(x: f32) -> f32 {
        x
    }

    fn as_operands(stored: &[f32]) -> Option<&[f32]> {
        Some(stored)
    }

    #[inline(always)]
    fn exp2(x: f32) -> f32 {
        exp2(x)
    }

    fn forms(all: &AllForms) -> &Forms<F32> {
        &all.f32
    }
}

impl Format for Bf16Pairs {
    type Stored = bf16;
    type Operand = bf16;

    #[inline(always)]
    fn round(x: f32) -> bf16 {
        Element::from_f32(x)
    }

    #[inline(always)]
    fn widen(x: bf16) -> bf16 {
        x
    }

    fn as_operands(stored: &[bf16]) -> Option<&[bf16]> {
        Some(stored)
    }

    #[inline(always)]
    fn exp2(x: f32) -> f32 {
        exp2_coarse(x)
    }

    fn forms(all: &AllForms) -> &Forms<Bf16Pairs> {
        &all.pairs
    }
}

impl Format for Bf16Wide {
    type Stored = bf16;
    type Operand = f32;

    #[inline(always)]
    fn round(x: f32) -> f32 {
        <bf16 as Element>::from_f32(x).to_f32()
    }

    #[inline(always)]
    fn widen(x: bf16) -> f32 {
        Element::to_f32(x)
    }

    #[inline(always)]
    fn exp2(x: f32) -> f32 {
        exp2_coarse(x)
    }

    fn forms(all: &AllForms) -> &Forms<Bf16Wide> {
        &all.wide
    }
}

/// Runs a block with `F` as the format in which this processor multiplies tensors of a dtype.
macro_rules! dispatch_format {
    ($dtype:expr, $F:ident => $body:expr) => {
        match $dtype {
            $crate::DType::F32 => {
                type $F = $crate::cpu::panels::F32;
                $body
            }
            $crate::DType::Bf16 if $crate::cpu::level::level().multiplies_bf16() => {
                type $F = $crate::cpu::panels::Bf16Pairs;
                $body
            }
            $crate::DType::Bf16 => {
                type $F = $crate::cpu::panels::Bf16Wide;
                $body
            }
            $crate::DType::F16 => $crate::cpu::memory::no_f16(),
        }
    };
}
pub(crate) use dispatch_format;
