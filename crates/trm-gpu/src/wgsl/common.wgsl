// What all programs share. S is the number format of storage; arithmetic is f32.

// The number of a group, counted along the first dimension first.
fn group_number(id: vec3<u32>, count: vec3<u32>) -> u32 {
    return id.y * count.x + id.x;
}

// A byte of a list of bytes.
fn byte_of(word: u32, at: u32) -> u32 {
    return (word >> (8u * (at % 4u))) & 0xffu;
}

fn sigmoid(x: f32) -> f32 {
    return 1.0 / (1.0 + exp(-x));
}
