//! Problem, network and certificate in files.

pub(crate) mod archive;
pub(crate) mod container;
pub(crate) mod files;
pub(crate) mod members;
pub(crate) mod npy;
pub(crate) mod whole;

pub use files::{
    load_certificate, load_network, load_problem, parse_certificate, parse_network, parse_problem,
    save_certificate, save_network, save_problem, verify,
};
