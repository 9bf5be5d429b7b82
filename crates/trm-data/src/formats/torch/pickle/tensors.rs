//! The names that stand for tensors. No other is understood, and nothing is called.

use super::{Machine, Place, Value};
use crate::formats::torch::storage::DType;
use crate::text::foreign;

impl Machine<'_> {
    /// `('storage', type, key, location, length)` stands for the bytes of a storage. Files from before PyTorch 1.6
    /// have a sixth part, which is `None` but for the oldest.
    pub(super) fn storage(&mut self) -> Result<(), String> {
        let place = self.pop()?;
        let storage = match &self.values[place] {
            Value::Tuple(parts) if parts.len() >= 5 && !self.is_view(parts) => {
                let [kind, class, key, _, len] = [0, 1, 2, 3, 4].map(|i| &self.values[parts[i]]);
                match (kind, class, key, len) {
                    (
                        Value::Text(kind),
                        Value::Name(class),
                        Value::Text(key),
                        Value::Integer(len @ 0..),
                    ) if kind == "storage" => {
                        let dtype = DType::of_storage(class)?;
                        Some(Value::Storage { key: key.clone(), dtype, len: *len as u64 })
                    }
                    _ => None,
                }
            }
            _ => None,
        };
        self.push(storage.ok_or("a reference that is no storage")?);
        Ok(())
    }

    fn is_view(&self, parts: &[Place]) -> bool {
        parts[5..].iter().any(|part| self.values[*part] != Value::Nothing)
    }

    pub(super) fn reduce(&mut self) -> Result<(), String> {
        let parts = self.pop_many(2)?;
        let (Value::Name(name), Value::Tuple(arguments)) =
            (&self.values[parts[0]], &self.values[parts[1]])
        else {
            return Err("a call of something that is no function".into());
        };
        match (name.as_str(), &arguments[..]) {
            ("collections.OrderedDict", []) => self.push(Value::Dictionary(Vec::new())),
            ("torch._utils._rebuild_tensor_v2", [storage, offset, shape, strides, ..]) => {
                let Value::Integer(offset @ 0..) = self.values[*offset] else {
                    return Err("a tensor that begins nowhere".into());
                };
                let (storage, offset) = (*storage, offset as u64);
                let (shape, strides) = (self.extents(*shape)?, self.extents(*strides)?);
                self.push(Value::Tensor { storage, offset, shape, strides });
            }
            ("torch._utils._rebuild_parameter", [tensor, ..]) => self.stack.push(*tensor),
            (name, _) => {
                let name = foreign(name);
                return Err(format!("calls {name}, which no checkpoint of weights needs"));
            }
        }
        Ok(())
    }

    fn extents(&self, place: Place) -> Result<Vec<u64>, String> {
        let Value::Tuple(parts) = &self.values[place] else {
            return Err("a shape that is none".into());
        };
        let extent = |place: &Place| match self.values[*place] {
            Value::Integer(extent @ 0..) => Ok(extent as u64),
            _ => Err("a shape that is none".into()),
        };
        parts.iter().map(extent).collect()
    }
}
