//! The instructions of a pickle, as far as `torch.save` uses them. Nothing is ever called: the few names
//! that stand for tensors are understood, all others are refused.
//!
//! Values lie in one list and refer to each other by their places, so that a hostile file can neither nest
//! them too deep nor make copies of copies: there are never more of them than the file has bytes.

mod tensors;

use super::storage::DType;
use std::collections::HashMap;

/// The most instructions of a pickle: some 6000 tensors. Each makes a value at most, so that what lists the
/// tensors takes no more than 64 MiB.
const MOST_INSTRUCTIONS: usize = 300_000;

/// The place of a value.
pub(super) type Place = usize;

/// What a pickle holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// `None`, and things that have no meaning here.
    Nothing,
    Flag(bool),
    Integer(i64),
    Text(String),
    Tuple(Vec<Place>),
    List(Vec<Place>),
    Dictionary(Vec<(Place, Place)>),
    Name(String),
    Storage {
        key: String,
        dtype: DType,
        len: u64,
    },
    Tensor {
        storage: Place,
        offset: u64,
        shape: Vec<u64>,
        strides: Vec<u64>,
    },
}

/// All values of a pickle, and the place of the one it stands for.
pub(super) struct Pickle {
    values: Vec<Value>,
    top: Place,
}

impl Pickle {
    pub(super) fn get(&self, place: Place) -> &Value {
        &self.values[place]
    }

    pub(super) fn top(&self) -> &Value {
        self.get(self.top)
    }

    /// What a dictionary has under a text, if the pickle is one.
    pub(super) fn under(&self, wanted: &str) -> Option<&Value> {
        let Value::Dictionary(entries) = self.top() else { return None };
        let is_wanted = |key: Place| matches!(self.get(key), Value::Text(key) if key == wanted);
        entries.iter().find(|(key, _)| is_wanted(*key)).map(|(_, value)| self.get(*value))
    }

    /// The texts of a list, if the pickle is one.
    pub(super) fn texts(&self) -> Option<Vec<&str>> {
        let Value::List(places) = self.top() else { return None };
        let text = |place: &Place| match self.get(*place) {
            Value::Text(text) => Some(&text[..]),
            _ => None,
        };
        places.iter().map(text).collect()
    }

    /// Keys and formats of all storages.
    pub(super) fn storages(&self) -> impl Iterator<Item = (&str, DType)> {
        self.values.iter().filter_map(|value| match value {
            Value::Storage { key, dtype, .. } => Some((&key[..], *dtype)),
            _ => None,
        })
    }

    /// Reads a pickle; how many bytes it has.
    ///
    /// # Errors
    /// One line: what is wrong, and at which byte.
    pub(super) fn parse(bytes: &[u8]) -> Result<(Pickle, usize), String> {
        let mut machine = Machine { bytes, ..Machine::default() };
        for _ in 0..MOST_INSTRUCTIONS {
            let at = machine.at;
            match machine.step() {
                Ok(None) => {}
                Ok(Some(top)) => return Ok((Pickle { values: machine.values, top }, machine.at)),
                Err(message) => return Err(format!("pickle, byte {at}: {message}")),
            }
        }
        Err("a pickle without end: no list of weights is that long".into())
    }
}

#[derive(Default)]
struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value>,
    stack: Vec<Place>,
    marks: Vec<usize>,
    memo: HashMap<u32, Place>,
}

impl Machine<'_> {
    /// One instruction; the result when it was the last.
    fn step(&mut self) -> Result<Option<Place>, String> {
        let [code] = self.array()?;
        match code {
            0x80 => drop(self.take(1)?), // protocol
            0x95 => drop(self.take(8)?), // length of a frame
            b'.' => return self.pop().map(Some),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'N' => self.push(Value::Nothing),
            0x88 => self.push(Value::Flag(true)),
            0x89 => self.push(Value::Flag(false)),
            b'J' => self.integer::<4>()?,
            b'K' => self.unsigned::<1>()?,
            b'M' => self.unsigned::<2>()?,
            0x8a => self.long()?,
            b'G' => {
                self.take(8)?;
                self.push(Value::Nothing); // a number that no tensor is made of
            }
            b'X' => self.text::<4>()?,
            0x8c => self.text::<1>()?,
            b'}' => self.push(Value::Dictionary(Vec::new())),
            b']' => self.push(Value::List(Vec::new())),
            b')' => self.push(Value::Tuple(Vec::new())),
            b't' => {
                let parts = self.since_mark()?;
                self.push(Value::Tuple(parts));
            }
            0x85..=0x87 => self.tuple(usize::from(code - 0x84))?,
            b's' => self.set_items(2)?,
            b'u' => {
                let count = self.counted_since_mark()?;
                self.set_items(count)?;
            }
            b'a' => self.append(1)?,
            b'e' => {
                let count = self.counted_since_mark()?;
                self.append(count)?;
            }
            b'q' => self.remember::<1>()?,
            b'r' => self.remember::<4>()?,
            0x94 => {
                let (key, value) = (self.memo.len() as u32, self.peek()?);
                self.memo.insert(key, value);
            }
            b'h' => self.recall::<1>()?,
            b'j' => self.recall::<4>()?,
            b'c' => self.name()?,
            0x93 => self.stacked_name()?,
            b'Q' => self.storage()?,
            b'R' => self.reduce()?,
            b'b' => drop(self.pop()?), // attributes, of an OrderedDict for one: no tensors
            0x81 => return Err("a whole module: save model.state_dict() instead".into()),
            other => return Err(format!("instruction {other:#04x} does not occur in checkpoints")),
        }
        Ok(None)
    }

    fn take(&mut self, count: usize) -> Result<&[u8], String> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..count).ok_or("cut short")?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        Ok(self.take(N)?.try_into().expect("as many as asked for"))
    }

    fn number<const N: usize>(&mut self) -> Result<u64, String> {
        Ok(self.array::<N>()?.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    fn push(&mut self, value: Value) {
        self.values.push(value);
        self.stack.push(self.values.len() - 1);
    }

    /// The topmost value above the last mark.
    fn peek(&self) -> Result<Place, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let above = self.stack.get(floor..).unwrap_or_default();
        above.last().copied().ok_or_else(|| "nothing on the stack".into())
    }

    fn pop(&mut self) -> Result<Place, String> {
        let place = self.peek()?;
        self.stack.pop();
        Ok(place)
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Place>, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let start = self.stack.len().checked_sub(count).filter(|start| *start >= floor);
        Ok(self.stack.split_off(start.ok_or("too little on the stack")?))
    }

    /// Removes the last mark; how many values are above it.
    fn counted_since_mark(&mut self) -> Result<usize, String> {
        let mark = self.marks.pop().ok_or("no mark")?;
        self.stack.len().checked_sub(mark).ok_or_else(|| "a mark above the stack".into())
    }

    fn since_mark(&mut self) -> Result<Vec<Place>, String> {
        let count = self.counted_since_mark()?;
        self.pop_many(count)
    }

    fn tuple(&mut self, count: usize) -> Result<(), String> {
        let parts = self.pop_many(count)?;
        self.push(Value::Tuple(parts));
        Ok(())
    }

    fn integer<const N: usize>(&mut self) -> Result<(), String> {
        let (value, unused) = (self.number::<N>()?, 64 - 8 * N as u32);
        self.push(Value::Integer((value << unused) as i64 >> unused));
        Ok(())
    }

    fn unsigned<const N: usize>(&mut self) -> Result<(), String> {
        let value = self.number::<N>()?;
        self.push(Value::Integer(value as i64));
        Ok(())
    }

    /// An integer of a stated number of bytes, the last of which has the sign.
    fn long(&mut self) -> Result<(), String> {
        let count = self.number::<1>()? as usize;
        let bytes = self.take(count)?;
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut word = [if negative { 0xff } else { 0 }; 8];
        word.get_mut(..count).ok_or("an integer of more than 64 bits")?.copy_from_slice(bytes);
        self.push(Value::Integer(i64::from_le_bytes(word)));
        Ok(())
    }

    fn text<const N: usize>(&mut self) -> Result<(), String> {
        let count = self.number::<N>()? as usize;
        let text =
            std::str::from_utf8(self.take(count)?).map_err(|_| "a text that is not UTF-8")?;
        let text = text.to_owned();
        self.push(Value::Text(text));
        Ok(())
    }

    fn set_items(&mut self, count: usize) -> Result<(), String> {
        let items = self.pop_many(count)?;
        let target = self.peek()?;
        let (pairs, []) = items.as_chunks::<2>() else {
            return Err("a key without a value".into());
        };
        match &mut self.values[target] {
            Value::Dictionary(entries) => entries.extend(pairs.iter().map(|[k, v]| (*k, *v))),
            _ => return Err("an entry of something that is no dictionary".into()),
        }
        Ok(())
    }

    fn append(&mut self, count: usize) -> Result<(), String> {
        let items = self.pop_many(count)?;
        let target = self.peek()?;
        match &mut self.values[target] {
            Value::List(list) => list.extend(items),
            _ => return Err("an item of something that is no list".into()),
        }
        Ok(())
    }

    fn remember<const N: usize>(&mut self) -> Result<(), String> {
        let (key, value) = (self.number::<N>()? as u32, self.peek()?);
        self.memo.insert(key, value);
        Ok(())
    }

    fn recall<const N: usize>(&mut self) -> Result<(), String> {
        let key = self.number::<N>()? as u32;
        let place = *self.memo.get(&key).ok_or("remembers what was never kept")?;
        self.stack.push(place);
        Ok(())
    }

    fn line(&mut self) -> Result<String, String> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or("cut short")?;
        let line = std::str::from_utf8(self.take(end)?).map_err(|_| "a name that is not UTF-8")?;
        let line = line.to_owned();
        self.take(1)?;
        Ok(line)
    }

    fn name(&mut self) -> Result<(), String> {
        let name = format!("{}.{}", self.line()?, self.line()?);
        self.push(Value::Name(name));
        Ok(())
    }

    fn stacked_name(&mut self) -> Result<(), String> {
        let parts = self.pop_many(2)?;
        let [Value::Text(module), Value::Text(name)] = [0, 1].map(|i| &self.values[parts[i]])
        else {
            return Err("a name that is no text".into());
        };
        let name = format!("{module}.{name}");
        self.push(Value::Name(name));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: &[u8]) -> String {
        Pickle::parse(bytes).err().expect("not readable")
    }

    #[test]
    fn numbers_texts_and_containers_are_read() {
        let pickle = Pickle::parse(
            b"\x80\x02}q\x00(X\x01\x00\x00\x00aJ\xff\xff\xff\xff\x8c\x01bM\x01\x02u.",
        );
        let (pickle, _) = pickle.unwrap();
        let Value::Dictionary(entries) = pickle.top() else { panic!("a dictionary") };
        let entry = |i: usize| (pickle.get(entries[i].0).clone(), pickle.get(entries[i].1).clone());
        assert_eq!(entry(0), (Value::Text("a".into()), Value::Integer(-1)));
        assert_eq!(entry(1), (Value::Text("b".into()), Value::Integer(0x201)));
        let (long, _) = Pickle::parse(b"\x8a\x03\x00\x00\xff.").unwrap();
        assert_eq!(long.top(), &Value::Integer(-65_536));
    }

    #[test]
    fn nothing_is_called() {
        let system = b"cos\nsystem\n(X\x04\x00\x00\x00truetR.";
        assert_eq!(
            message(system),
            "pickle, byte 22: calls os.system, which no checkpoint of weights needs"
        );
        let eval = b"\x8c\x08builtins\x8c\x04eval\x93)R.";
        assert!(message(eval).contains("calls builtins.eval"));
    }

    #[test]
    fn damage_is_named_with_its_place() {
        assert_eq!(message(b""), "pickle, byte 0: cut short");
        assert_eq!(message(b"\x80\x02X\xff\xff\xff\xffa"), "pickle, byte 2: cut short");
        assert_eq!(message(b"h\x07."), "pickle, byte 0: remembers what was never kept");
        assert_eq!(message(b"K\x01(0."), "pickle, byte 3: nothing on the stack");
        assert_eq!(message(b"(0"), "pickle, byte 1: nothing on the stack");
        assert_eq!(
            message(b"\x81."),
            "pickle, byte 0: a whole module: save model.state_dict() instead"
        );
        assert!(message(b"\x82.").contains("instruction 0x82 does not occur in checkpoints"));
        assert_eq!(message(b"NNs."), "pickle, byte 2: nothing on the stack");
        assert_eq!(message(b"K\x01K\x02Q"), "pickle, byte 4: a reference that is no storage");
    }

    #[test]
    fn values_within_each_other_without_end_are_harmless() {
        let mut deep = vec![b')'; 1];
        deep.extend([0x85; 200_000]);
        deep.push(b'.');
        assert!(Pickle::parse(&deep).is_ok());
        let endless = vec![b'N'; 8 << 20];
        assert!(message(&endless).contains("without end"));
        let within_itself = b"]q\x00h\x00a.";
        assert!(Pickle::parse(within_itself).is_ok());
    }
}
