//! How far from globally optimal can a trained two-layer ReLU network still be?
//!
//! Training minimises ½‖(XU)₊Vᵀ − Y‖² + (γ/2)(‖U‖² + ‖V‖²) over the weights, for any width. Descent gives a network and
//! with it an upper bound on the best objective there is. This crate adds a lower bound, and a proof of it.
//!
//! 1. [`training`] finds a good network.
//! 2. `relaxation` writes the problem in the products of weights and activations, where it is convex but for the cone
//!    those products live in, and relaxes the cone (arXiv 2410.22311): a semidefinite program in the data.
//! 3. `low_rank` solves that with a low-rank factor; what matters of its result is the multipliers.
//! 4. `repair` turns multipliers, good or bad, into a feasible dual point (W, y, N), worth ⟨W, Y⟩ − ½‖W‖².
//! 5. [`certificate`] proves that point feasible in floating point, all rounding paid for, from the stored numbers
//!    alone. Only this step has to be believed.
//!
//! The modules of steps 2 to 4, and `dual`, are public with the feature `internals` alone: they change with the method.
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
#![warn(clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used)]

pub mod baselines;
mod bounds;
pub mod branch;
pub mod certificate;
mod certify;
pub mod compare;
mod control;
pub mod convolution;
pub mod data;
mod error;
pub mod interior_point;
pub mod io;
pub mod linalg;
pub mod path;
mod problem;
mod progress;
pub mod rounding;
mod system;
pub mod training;

// The stages between a problem and its proof, for those who work on the method itself. What the rest of the interface
// needs of them is re-exported below.
macro_rules! internals {
    ($($name:ident),*) => {$(
        #[cfg(feature = "internals")]
        pub mod $name;
        #[cfg(not(feature = "internals"))]
        #[allow(dead_code, unused_imports, reason = "part of the interface with the feature internals")]
        mod $name;
    )*};
}
internals!(dual, low_rank, relaxation, repair);

// The matrix types of the public interface, so that a caller needs no dependency of the same version.
pub use faer;
#[cfg(feature = "nalgebra")]
pub use nalgebra;
#[cfg(feature = "ndarray")]
pub use ndarray;
pub use sprs;

pub use bounds::{Gap, LowerBound, UpperBound};
pub use certify::certified::Certified;
pub use certify::certifier::Certifier;
pub use certify::convolution::{convolution_report, save_convolution};
pub use certify::divide::{BlockExecutor, BlockOutcome, BlockTask, BlockTasks, Division, RayonExecutor};
pub use certify::interior_point::certify_by_interior_point;
pub use certify::plan::estimated_memory_bytes;
pub use certify::report::{self, BlockFigures, Report};
pub use certify::run::{certify, certify_network, certify_with_solution};
pub use certify::settings::{Blocks, CertifySettings, Checkpoint, Method, Prices};
#[cfg(feature = "serde")]
pub use certify::verdict::{Saved, Verdict};
pub use control::Control;
pub use dual::{CutForms, DualPoint, Slack};
pub use error::{Error, Result};
pub use io::whole::write_whole;
pub use low_rank::SolverSettings;
pub use problem::convolution::{
    ConvolutionShape, ConvolutionalNetwork, ConvolutionalProblem, Lifted, Pooling,
};
pub use problem::{Features, HeadDecay, Network, TrainingProblem};
pub use progress::{Observer, Progress, Silent};
pub use relaxation::LiftedFactor;
pub use relaxation::cuts::Cuts;
pub use repair::{certify_dual, certify_dual_with};
pub use system::memory::peak_memory_bytes;
