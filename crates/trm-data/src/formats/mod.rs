//! Models on disk: our folder, where it comes from, and the public code's checkpoints.

pub(crate) mod arrays;
pub(crate) mod card;
pub(crate) mod model_folder;
pub(crate) mod places;
pub(crate) mod provenance;
pub mod public;
pub(crate) mod shipped;
pub mod torch;
