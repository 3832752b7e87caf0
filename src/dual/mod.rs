//! The dual side: points, their slack operator, estimates of its eigenvalues, and the repair of a point.

mod basis;
mod block;
mod cuts;
mod defect;
mod form;
mod from_lifting;
mod kernel;
mod margin;
mod point;
mod product;
mod repair;
mod shift;
mod slack;

pub use crate::lanczos::{EigenvalueEstimate, LanczosSettings, SymmetricOperator, smallest_eigenpairs};
pub use cuts::CutForms;
pub use form::Forms;
pub use from_lifting::dual_point;
pub use point::DualPoint;
pub use repair::{RepairSettings, Repaired, repair};
pub use slack::Slack;

pub(crate) use basis::Basis;
pub(crate) use margin::with_margin;
pub(crate) use repair::{Plan, repair_priced};
pub(crate) use slack::power_of_two;
