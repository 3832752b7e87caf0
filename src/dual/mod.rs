//! The dual side: points, the forms they are made of, and their slack operator. Assembly only.

mod basis;
mod cuts;
mod defect;
mod form;
mod kernel;
mod point;
mod product;
mod slack;

pub use cuts::CutForms;
pub use form::Forms;
pub use point::DualPoint;
pub use slack::Slack;

pub(crate) use basis::Basis;
pub(crate) use defect::equality_holds;
pub(crate) use product::accurate_product;
pub(crate) use slack::{leverage, power_of_two};
