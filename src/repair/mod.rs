//! From multipliers to a point that can be proved: the way back from the solver's coordinates, the repair of a point, and
//! the search for the least margin that a proof accepts. No proof rests on anything here.

mod block;
mod certify_blocks;
mod certify_dual;
mod from_lifting;
mod iterative;
mod margin;
mod priced;
mod search;
mod settings;
mod shift;

pub use certify_blocks::certify_blocks;
pub(crate) use certify_dual::{ITERATIVE_MARGIN, proof_margin};
pub use certify_dual::{certify_dual, certify_dual_with};
pub use from_lifting::dual_point;
pub(crate) use priced::provable_point;
pub(crate) use search::repair_priced;
pub use search::{Repaired, repair};
pub use settings::RepairSettings;
