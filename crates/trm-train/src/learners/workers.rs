//! What computes for a run: a device here, and the processes that take part.

use crate::Error;
use std::ops::Range;
use trm_ops::{Device, Gradients, Tensor};
use trm_team::{Shares, Team};

/// Where a run computes: on a device of this process, together with other processes if there are any.
#[derive(Clone)]
pub struct Workers {
    /// The device of this process.
    pub device: Device,
    /// This process and the others.
    pub team: Team,
}

impl From<&Device> for Workers {
    fn from(device: &Device) -> Workers {
        Workers { device: device.clone(), team: Team::alone() }
    }
}

/// A batch shared by the processes of a team.
pub(crate) struct Shared {
    pub(crate) team: Team,
    shares: Shares,
}

impl Shared {
    /// A batch of so many rows, which a device takes in such portions.
    ///
    /// # Errors
    /// If a process would have nothing to do.
    pub(crate) fn new(team: &Team, rows: usize, portion: usize) -> Result<Shared, Error> {
        let portion = portion.min(rows).max(1);
        let shares = Shares::new(rows, portion, team.size()).ok_or_else(|| {
            Error::Recipe(format!(
                "a batch of {rows} rows is cut into {} portions here, too few for {} processes: set a larger \
                 train.batch, or start fewer",
                rows.div_ceil(portion),
                team.size()
            ))
        })?;
        Ok(Shared { team: team.clone(), shares })
    }

    /// The rows of this process.
    pub(crate) fn rows(&self) -> Range<usize> {
        self.shares.rows(self.team.rank())
    }

    /// Adds up the gradients of all processes, in the order in which one process would.
    pub(crate) fn sum(&self, gradients: &mut Gradients) -> Result<(), Error> {
        if self.team.size() == 1 {
            return Ok(());
        }
        let mut flat: Vec<f32> = Vec::new();
        for gradient in gradients.parameters_mut() {
            flat.extend(gradient.to_f32_vec()?);
        }
        self.team.sum(&self.shares, &mut flat);
        let mut rest = &flat[..];
        for gradient in gradients.parameters_mut() {
            let (values, after) = rest.split_at(gradient.len());
            *gradient = Tensor::from_f32(gradient.device(), gradient.shape(), values);
            rest = after;
        }
        Ok(())
    }

    /// What all processes have of something by rows, in the order of the rows.
    pub(crate) fn gather<T: bytemuck::Pod>(&self, mine: &[T]) -> Vec<T> {
        let all = self.team.gather(bytemuck::cast_slice(mine));
        all.iter().flat_map(|part| bytemuck::pod_collect_to_vec::<u8, T>(part)).collect()
    }

    /// A tensor of the rows of this process, with those of all the others.
    pub(crate) fn gather_rows(&self, mine: &Tensor) -> Result<Tensor, Error> {
        if self.team.size() == 1 {
            return Ok(mine.clone());
        }
        let all = self.gather(&mine.to_f32_vec()?);
        let of_row = mine.len() / self.rows().len();
        Ok(Tensor::from_f32(
            mine.device(),
            &[&[all.len() / of_row], &mine.shape()[1..]].concat(),
            &all,
        ))
    }

    /// A tensor of all rows on rank 0, where others have what they were asked with: its own rows. Only for rank 0 to
    /// write it.
    pub(crate) fn collect(&self, mine: &Tensor) -> Result<Tensor, Error> {
        if self.team.size() == 1 {
            return Ok(mine.clone());
        }
        let of_row = mine.len() / self.rows().len();
        let all = self.collected(bytemuck::cast_slice(&mine.to_f32_vec()?), 4 * of_row);
        if !self.team.leads() {
            return Ok(mine.clone());
        }
        let values = bytemuck::pod_collect_to_vec::<u8, f32>(&all);
        let shape = [&[values.len() / of_row], &mine.shape()[1..]].concat();
        Ok(Tensor::from_f32(&Device::plain(), &shape, &values))
    }

    /// The bytes of all rows on rank 0, nothing elsewhere; each row has as many.
    pub(crate) fn collected(&self, mine: &[u8], of_row: usize) -> Vec<u8> {
        let lengths: Vec<usize> =
            (0..self.team.size()).map(|rank| of_row * self.shares.rows(rank).len()).collect();
        self.team.collect(mine, &lengths)
    }
}
