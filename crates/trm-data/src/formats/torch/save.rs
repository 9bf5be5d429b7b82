//! Writing what `torch.load` reads.

use super::NamedTensor;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The folder inside the archive.
const FOLDER: &str = "checkpoint";

/// A checkpoint of f32 tensors that `torch.load(…, weights_only=True)` accepts.
///
/// # Errors
/// If there are more tensors or values than such archives hold.
pub fn encode(tensors: &[NamedTensor]) -> Result<Vec<u8>, String> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut write = |name: &str, bytes: &[u8]| -> zip::result::ZipResult<()> {
        // storages begin at multiples of 64 bytes, as torch.save lays them
        archive.start_file(format!("{FOLDER}/{name}"), options.with_alignment(64))?;
        Ok(archive.write_all(bytes)?)
    };
    let mut files = || {
        write("data.pkl", &pickle(tensors))?;
        write("byteorder", b"little")?;
        for (i, tensor) in tensors.iter().enumerate() {
            let bytes: Vec<u8> = tensor.values.iter().flat_map(|x| x.to_le_bytes()).collect();
            write(&format!("data/{i}"), &bytes)?;
        }
        write("version", b"3\n")
    };
    let failed = |error: zip::result::ZipError| error.to_string();
    files().map_err(failed)?;
    archive.finish().map(Cursor::into_inner).map_err(failed)
}

/// The dictionary of all tensors, protocol 2.
fn pickle(tensors: &[NamedTensor]) -> Vec<u8> {
    let mut code = b"\x80\x02}(".to_vec();
    for (i, tensor) in tensors.iter().enumerate() {
        text(&mut code, &tensor.name);
        code.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        text(&mut code, "storage");
        code.extend(b"ctorch\nFloatStorage\n");
        text(&mut code, &i.to_string());
        text(&mut code, "cpu");
        integer(&mut code, tensor.values.len());
        code.extend(b"tQK\x00("); // the storage, and where in it the tensor begins
        tensor.shape.iter().for_each(|extent| integer(&mut code, *extent));
        code.extend(b"t(");
        for dimension in 1..=tensor.shape.len() {
            integer(&mut code, tensor.shape[dimension..].iter().product());
        }
        code.extend(b"t\x89ccollections\nOrderedDict\n)RtR"); // no gradient, no hooks
    }
    code.extend(b"u.");
    code
}

fn text(code: &mut Vec<u8>, text: &str) {
    code.push(b'X');
    code.extend((text.len() as u32).to_le_bytes());
    code.extend(text.as_bytes());
}

/// An integer of eight bytes.
fn integer(code: &mut Vec<u8>, value: usize) {
    code.extend([0x8a, 8]);
    code.extend((value as u64).to_le_bytes());
}
