//! Disjoint parts of one array, for several tasks at once.

#![allow(unsafe_code)]

use crate::cpu::element::{Element, round, widen};
use std::marker::PhantomData;

/// An array that several tasks work on in disjoint parts: columns of row-major matrices cannot
/// be split into slices.
pub(crate) struct Shared<'a, T> {
    data: *mut T,
    len: usize,
    lifetime: PhantomData<&'a mut [T]>,
}

// SAFETY: access goes through `load` and `store`, whose callers promise to keep apart.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T: Element> Shared<'a, T> {
    pub(crate) fn new(data: &'a mut [T]) -> Shared<'a, T> {
        Shared { data: data.as_mut_ptr(), len: data.len(), lifetime: PhantomData }
    }

    /// Writes rounded values from `at` on; for use inside of [`vectorized`](crate::cpu::math::vectorized).
    ///
    /// # Safety
    /// While the tasks run, no two of them may store to the same element.
    #[inline(always)]
    pub(crate) unsafe fn store(&self, at: usize, values: &[f32]) {
        assert!(at + values.len() <= self.len, "a store beyond the end");
        // SAFETY: in bounds (checked above), and nobody else writes here, by the caller's promise.
        let target = unsafe { std::slice::from_raw_parts_mut(self.data.add(at), values.len()) };
        round(target, values);
    }

    /// Reads values from `at` on; for use inside of [`vectorized`](crate::cpu::math::vectorized).
    ///
    /// # Safety
    /// While the tasks run, no other one may store to these elements.
    #[inline(always)]
    pub(crate) unsafe fn load(&self, at: usize, values: &mut [f32]) {
        assert!(at + values.len() <= self.len, "a load beyond the end");
        // SAFETY: in bounds (checked above), and nobody else writes here, by the caller's promise.
        widen(values, unsafe { std::slice::from_raw_parts(self.data.add(at), values.len()) });
    }
}
