//! Hashes that are the same on every machine.

/// FNV-1a with 128 bits.
pub(crate) fn fnv<'b>(bytes: impl IntoIterator<Item = &'b u8>) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let bytes = bytes.into_iter();
    bytes.fold(OFFSET, |hash, &byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}
