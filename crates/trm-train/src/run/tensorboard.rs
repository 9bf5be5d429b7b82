//! Scalars for TensorBoard, written without TensorFlow.
//!
//! An event file is a sequence of TFRecords, each holding one protobuf `Event`. So little of the
//! format is needed that it is encoded here by hand:
//!
//! ```text
//! record     = u64 length · masked crc32c(length) · payload · masked crc32c(payload)   (little endian)
//! Event      { 1: double wall_time, 2: int64 step, 3: string file_version, 5: Summary, 7: SessionLog }
//! Summary    { 1: repeated Value }        Value { 1: string tag, 2: float simple_value }
//! SessionLog { 1: enum status }           status START = 1
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The version every event file states first; from 2 on, readers heed [`EventWriter::resume_at`].
const FILE_VERSION: &str = "brain.Event:2";

/// Appends scalars to one TensorBoard event file.
///
/// What is written reaches the file with [`flush`](Self::flush), or when the writer is dropped.
#[derive(Debug)]
pub struct EventWriter {
    path: PathBuf,
    out: BufWriter<File>,
}

impl EventWriter {
    /// Starts a new event file in `dir`, creating the folder if needed.
    ///
    /// Every start makes a file of its own, `events.out.tfevents.<seconds>.<host>.<pid>`;
    /// TensorBoard reads all of a folder as one run, in the order of their names. A writer for a
    /// resumed run should call [`resume_at`](Self::resume_at) next.
    pub fn create(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let (path, file) = create_unique(dir, &file_stem(unix_seconds()))?;
        let mut writer = Self { path, out: BufWriter::new(file) };
        let version = field_bytes(3, FILE_VERSION.as_bytes());
        writer.event(0, &version)?;
        writer.flush()?;
        Ok(writer)
    }

    /// The file being written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Records `value` under `tag` at `step`. Not-a-number and infinite values are kept as they are.
    pub fn scalar(&mut self, step: u64, tag: &str, value: f32) -> io::Result<()> {
        let mut entry = field_bytes(1, tag.as_bytes());
        // Written even when zero: a oneof member that is absent is no value at all.
        entry.push(key(2, WIRE_32));
        entry.extend(value.to_le_bytes());
        let summary = field_bytes(1, &entry);
        self.event(step, &field_bytes(5, &summary))
    }

    /// Tells readers that the run starts again at `step`: whatever an earlier, interrupted start
    /// recorded at that step or later is void and will not be drawn.
    pub fn resume_at(&mut self, step: u64) -> io::Result<()> {
        const START: u8 = 1;
        self.event(step, &field_bytes(7, &[key(1, WIRE_VARINT), START]))
    }

    /// Hands everything written so far to the operating system.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn event(&mut self, step: u64, body: &[u8]) -> io::Result<()> {
        let mut event = vec![key(1, WIRE_64)];
        event.extend(unix_seconds().to_le_bytes());
        event.push(key(2, WIRE_VARINT));
        push_varint(&mut event, step);
        event.extend_from_slice(body);
        write_record(&mut self.out, &event)
    }
}

const WIRE_VARINT: u8 = 0;
const WIRE_64: u8 = 1;
const WIRE_BYTES: u8 = 2;
const WIRE_32: u8 = 5;

const fn key(field: u8, wire: u8) -> u8 {
    field << 3 | wire
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn field_bytes(field: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![key(field, WIRE_BYTES)];
    push_varint(&mut out, bytes.len() as u64);
    out.extend_from_slice(bytes);
    out
}

fn write_record(out: &mut impl Write, payload: &[u8]) -> io::Result<()> {
    let length = (payload.len() as u64).to_le_bytes();
    out.write_all(&length)?;
    out.write_all(&masked_crc(&length).to_le_bytes())?;
    out.write_all(payload)?;
    out.write_all(&masked_crc(payload).to_le_bytes())
}

/// The TFRecord checksum: rotated and offset so that checksums of data holding checksums stay useful.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn unix_seconds() -> f64 {
    // A clock before 1970 is no reason to stop a training run.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn file_stem(seconds: f64) -> String {
    // Ten digits, so that the order of names is the order of starts.
    format!("events.out.tfevents.{:010}.{}.{}", seconds as u64, host_name(), std::process::id())
}

/// Two starts of one process within a second differ by a counter at the end of the name.
fn create_unique(dir: &Path, stem: &str) -> io::Result<(PathBuf, File)> {
    for attempt in 0_u32.. {
        let name = if attempt == 0 { stem.to_owned() } else { format!("{stem}.{attempt}") };
        let path = dir.join(name);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            opened => return opened.map(|file| (path, file)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn host_name() -> String {
    let found = fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::env::var("HOSTNAME"))
        .or_else(|_| std::env::var("COMPUTERNAME"))
        .unwrap_or_default();
    let safe: String =
        found.trim().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    if safe.is_empty() { "trm".to_owned() } else { safe }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A decoded protobuf field: number and content (numbers as little-endian bytes).
    type Field = (u64, Vec<u8>);

    fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
        let (head, rest) = bytes.split_at(count);
        *bytes = rest;
        head
    }

    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = take(bytes, 1)[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    fn fields(mut bytes: &[u8]) -> Vec<Field> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            let content = match (tag & 7) as u8 {
                WIRE_VARINT => varint(&mut bytes).to_le_bytes().to_vec(),
                WIRE_64 => take(&mut bytes, 8).to_vec(),
                WIRE_32 => take(&mut bytes, 4).to_vec(),
                _ => {
                    let length = varint(&mut bytes) as usize;
                    take(&mut bytes, length).to_vec()
                }
            };
            found.push((tag >> 3, content));
        }
        found
    }

    fn field(fields: &[Field], number: u64) -> &[u8] {
        &fields.iter().find(|(n, _)| *n == number).expect("field present").1
    }

    /// Splits a file into events, checking lengths and checksums.
    fn events(path: &Path) -> Vec<Vec<Field>> {
        let file = fs::read(path).unwrap();
        let mut bytes = file.as_slice();
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let length = take(&mut bytes, 8);
            assert_eq!(take(&mut bytes, 4), masked_crc(length).to_le_bytes());
            let payload = take(&mut bytes, u64::from_le_bytes(length.try_into().unwrap()) as usize);
            assert_eq!(take(&mut bytes, 4), masked_crc(payload).to_le_bytes());
            found.push(fields(payload));
        }
        found
    }

    fn step(event: &[Field]) -> u64 {
        u64::from_le_bytes(field(event, 2).try_into().unwrap())
    }

    #[test]
    fn crc_and_mask_match_known_values() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        // The length field of a 24-byte record, as TensorFlow itself writes it.
        assert_eq!(masked_crc(&24_u64.to_le_bytes()).to_le_bytes(), [0xa3, 0x7f, 0x4b, 0x22]);
    }

    #[test]
    fn a_file_starts_with_its_version_and_holds_the_scalars() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(dir.path()).unwrap();
        let written =
            [(0, "loss/train", 1.5_f32), (300, "größe", -0.0), (1 << 40, "nan", f32::NAN)];
        for (step, tag, value) in written {
            writer.scalar(step, tag, value).unwrap();
        }
        writer.flush().unwrap();

        let events = events(writer.path());
        assert_eq!(field(&events[0], 3), FILE_VERSION.as_bytes());
        assert_eq!(events.len(), 1 + written.len());
        for (event, (at, tag, value)) in events[1..].iter().zip(written) {
            let entry = fields(field(&fields(field(event, 5)), 1));
            assert_eq!(step(event), at);
            assert_eq!(field(&entry, 1), tag.as_bytes());
            assert_eq!(field(&entry, 2), value.to_le_bytes());
            let wall = f64::from_le_bytes(field(event, 1).try_into().unwrap());
            assert!((unix_seconds() - wall).abs() < 60.0);
        }
    }

    #[test]
    fn every_start_makes_a_file_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let first = EventWriter::create(dir.path()).unwrap();
        let second = EventWriter::create(dir.path()).unwrap();
        assert_ne!(first.path(), second.path());
        for writer in [&first, &second] {
            let name = writer.path().file_name().unwrap().to_str().unwrap();
            assert!(name.starts_with("events.out.tfevents."), "{name}");
            assert_eq!(events(writer.path()).len(), 1);
        }
    }

    #[test]
    fn a_resumed_run_records_where_it_starts_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(dir.path()).unwrap();
        writer.resume_at(200).unwrap();
        writer.flush().unwrap();
        let events = events(writer.path());
        assert_eq!(step(&events[1]), 200);
        assert_eq!(field(&fields(field(&events[1], 7)), 1), 1_u64.to_le_bytes());
    }
}
