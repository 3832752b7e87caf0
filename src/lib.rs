//! How far from globally optimal can a trained two-layer ReLU network still be?
//!
//! Training minimises ½‖(XU)₊Vᵀ − Y‖² + (γ/2)(‖U‖² + ‖V‖²) over the weights, for any width. Descent gives a network and
//! with it an upper bound on the best objective there is. This crate adds a lower bound, and a proof of it.
//!
//! 1. [`training`] finds a good network.
//! 2. [`lifting`] writes the problem in the products of weights and activations, where it is convex but for the cone
//!    those products live in, and relaxes the cone (arXiv 2410.22311): a semidefinite program in the data.
//! 3. [`solver`] solves that with a low-rank factor; what matters of its result is the multipliers.
//! 4. [`dual`] turns multipliers, good or bad, into a feasible dual point (W, y, N), worth ⟨W, Y⟩ − ½‖W‖².
//! 5. [`certificate`] proves that point feasible in floating point, all rounding paid for, from the stored numbers
//!    alone. Only this step has to be believed.
//!
//! [`certify()`] does all of it:
//!
//! ```
//! use faer::mat;
//! use relucert::{CertifySettings, Control, Silent, TrainingProblem, certify};
//!
//! // Four samples of one feature and a bias, one target each; γ = 0.1.
//! let x = mat![[-1.0, 1.0], [0.0, 1.0], [1.0, 1.0], [2.0, 1.0]];
//! let y = mat![[1.0], [0.0], [1.0], [2.0]];
//! let problem = TrainingProblem::new(x, y, 0.1)?;
//! let found = certify(&problem, &CertifySettings::default(), &Control::new(), &mut Silent)?;
//!
//! // No network of any width has an objective below the proved bound.
//! assert!(found.proof.lower_bound() > 0.0);
//! assert!(found.proof.lower_bound() <= found.network.objective_upper(&problem));
//! # Ok::<(), relucert::Error>(())
//! ```
//!
//! The gap between the bounds has two parts. What the solver leaves ([`Report::solver_gap`]) can be made small; what
//! the relaxation leaves is a property of the data and of γ. `docs/` has the mathematics, the proof and how to read
//! a report.
#![deny(missing_docs)]

pub mod baselines;
pub mod certificate;
mod certify;
mod checkpoint;
pub mod compare;
mod container;
mod control;
pub mod cuts;
pub mod data;
mod divide;
pub mod dual;
mod error;
mod features;
mod files;
mod head;
mod lanczos;
pub mod lifting;
mod linalg;
mod memory;
mod network;
mod npy;
mod problem;
mod progress;
pub mod reference;
mod relax;
pub mod report;
pub mod rounding;
mod settings;
pub mod solver;
mod sparse;
mod stream;
pub mod training;
mod vector;

pub use certify::{Certified, certify, certify_network, certify_with_solution};
pub use checkpoint::Checkpoint;
pub use control::Control;
pub use cuts::Cuts;
pub use divide::{BlockFigures, BlockOutcome, BlockTask, Division};
pub use error::{Error, Result};
pub use features::Features;
pub use files::write_whole;
pub use head::HeadDecay;
pub use memory::estimated_memory_bytes;
pub use network::Network;
pub use problem::TrainingProblem;
pub use progress::{Observer, Progress, Silent};
pub use relax::Method;
pub use report::Report;
pub use settings::{Blocks, CertifySettings, Prices};
